"""A comparison as JUnit XML, which the services that run tests show: a test case per metric."""

from xml.etree import ElementTree

from tinyprune.report.model.comparison import Comparison, MetricChange, VariantChange
from tinyprune.report.render.verdict import matters, show_allowed, show_change, show_value


def comparison(compared: Comparison) -> str:
    """Return a suite per target and pair of variants; what the policy does not allow has failed."""
    root = ElementTree.Element("testsuites", name=f"{compared.after} against {compared.before}")
    for variant in compared.variants:
        _add_suite(root, variant)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(root: ElementTree.Element, variant: VariantChange) -> None:
    shown = [*filter(matters, variant.metrics)]
    tests, failures = str(len(shown)), str(len(variant.failures))
    suite = ElementTree.SubElement(
        root, "testsuite", name=variant.title, tests=tests, failures=failures
    )
    for change in shown:
        case = ElementTree.SubElement(
            suite, "testcase", classname=variant.title, name=change.metric
        )
        said = _sentence(change)
        if change.failed:
            ElementTree.SubElement(case, "failure", message=f"{change.verdict}: {said}")
        else:
            ElementTree.SubElement(case, "system-out").text = said


def _sentence(change: MetricChange) -> str:
    before, after = (show_value(change.metric, value) for value in (change.before, change.after))
    return f"{before} -> {after} (change {show_change(change)}, allowed {show_allowed(change)})"
