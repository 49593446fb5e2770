"""Cells of CSV files that a table calculator opens."""

from collections.abc import Iterable
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: Any) -> Any:
    """Return a cell as it is; a text that would be taken for a formula begins with ' then.

    Names come from files of strangers, and a calculator runs what begins with ``=``, ``+``, ``-``
    or ``@``. Numbers stay numbers, also where they are texts.
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULA) or _is_number(cell):
        return cell
    return f"'{cell}"


def harmless_row(cells: Iterable[Any]) -> list[Any]:
    """Return the cells of a row, each as :func:`harmless` has it."""
    return [harmless(cell) for cell in cells]


def harmless_record(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row by columns, each cell as :func:`harmless` has it."""
    return {column: harmless(cell) for column, cell in row.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
