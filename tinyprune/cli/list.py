"""``tinyprune list``."""

import click

from tinyprune.cli import options, output

KINDS = (
    "models",
    "datasets",
    "tasks",
    "losses",
    "metrics",
    "structures",
    "importances",
    "schedules",
    "npus",
)


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS), metavar=f"[{'|'.join(KINDS)}]")
@options.output_format
def list_command(kind: str | None, output_format: str) -> None:
    """List the names that options and recipes know."""
    rows = []
    for each in KINDS:
        if kind in (None, each):
            rows += _npus() if each == "npus" else _registered(each)
    output.rows(["kind", "name", "what it is"], rows, output_format)


def _registered(kind: str) -> list[list[str]]:
    """Return the rows of a registry: its kind in the singular, each name, what it is."""
    from tinyprune import registry

    table: registry.Registry = getattr(registry, kind.upper())
    return [[table.kind, name, _summary(target)] for name, target in table.targets.items()]


def _npus() -> list[list[str]]:
    """Return a row per accelerator, with its defaults, and per own target."""
    from tinyprune.npu import targets

    rows = []
    for name in targets.names():
        accelerator = targets.accelerator(name)
        defaults = f"{accelerator.default_system_config}, {accelerator.default_memory_mode}"
        rows.append(["npu", accelerator.name, defaults])
    for name, description in targets.user_target_descriptions():
        rows.append(["npu", name, description])
    return rows


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
