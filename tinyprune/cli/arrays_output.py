"""Descriptions of arrays on stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tinyprune.cli import output

if TYPE_CHECKING:
    from tinyprune.data.arrays.description import ArrayDescription, ArraySummary

HEADER = ["file", "array", "shape", "type", "lowest", "highest", "different values", "not finite"]


def show(descriptions: "Sequence[ArrayDescription]", output_format: str) -> None:
    """Print descriptions: as JSON, as CSV, or as a table with what they are taken for below it."""
    if output_format == "json":
        output.as_json(descriptions)
        return
    rows = []
    for description in descriptions:
        rows += [[description.path, *_cells(summary)] for summary in description.arrays]
    output.rows(HEADER, rows, output_format)
    if output_format == "table":
        for description in descriptions:
            click.echo(f"\n{_remark(description)}")


def _cells(summary: "ArraySummary") -> list[str]:
    """Return the cells of an array; texts have no lowest and highest."""
    ends = [f"{end:g}" for end in (summary.lowest, summary.highest) if end is not None]
    shape = " x ".join(map(str, summary.shape))
    lowest, highest = ends or ["", ""]
    counts = [str(summary.different), str(summary.not_finite)]
    return [summary.array, shape, summary.dtype, lowest, highest, *counts]


def _remark(description: "ArrayDescription") -> str:
    """Return what a training takes the arrays for, or what is in its way."""
    if description.problem:
        return description.problem
    counts = ", ".join(f"{count} {split}" for split, count in description.splits.items())
    return f"{description.path}: taken for {description.task}; {counts} examples"
