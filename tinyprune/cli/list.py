"""``tinyprune list``."""

import click

from tinyprune.cli import options, output

KINDS = ("models", "datasets", "structures", "importances", "schedules", "metrics", "npus")


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS), metavar=f"[{'|'.join(KINDS)}]")
@options.output_format
def list_command(kind: str | None, output_format: str) -> None:
    """List what can be named in options and recipes."""
    rows = [row for each in KINDS if kind in (None, each) for row in _rows(each)]
    output.rows(["kind", "name", "what it is"], rows, output_format)


def _rows(kind: str) -> list[list[str]]:
    """The rows of one kind: its name in the singular, each name, what it is."""
    from tinyprune import registry
    from tinyprune.npu import targets

    if kind == "npus":
        accelerators = [targets.accelerator(name) for name in targets.names()]
        known = [
            ["npu", a.name, f"{a.default_system_config}, {a.default_memory_mode}"]
            for a in accelerators
        ]
        return known + [["npu", name, description] for name, description in targets.own()]
    table: registry.Registry = getattr(registry, kind.upper())
    return [[table.kind, name, _summary(target)] for name, target in table.targets.items()]


def _summary(target: str) -> str:
    """Return the first paragraph of the docstring of "module:attribute".

    It is read from the source: nothing heavy is imported for a list.
    """
    import ast
    import importlib.util

    module, attribute = target.split(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.loader is None or not hasattr(spec.loader, "get_source"):
        return ""
    for node in ast.parse(spec.loader.get_source(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == attribute:
            paragraph, _, _ = (ast.get_docstring(node) or "").partition("\n\n")
            return " ".join(paragraph.split())
    return ""
