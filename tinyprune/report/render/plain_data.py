"""Records as JSON and rows as CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tinyprune.storage.cells import harmless_record
from tinyprune.storage.records import to_jsonable


def json_text(record: Any) -> str:
    """The whole record as JSON."""
    return json.dumps(to_jsonable(record), indent=2) + "\n"


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Rows under a header; an empty cell is a value that is None.

    Args:
        rows: column -> value.
        columns: default: those of the first row.
    """
    text = io.StringIO()
    if rows and not columns:
        columns = list(rows[0])
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(harmless_record(dict(row)) for row in rows)
    return text.getvalue()


def rounded_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same with six digits of every real number."""
    lines = []
    for row in rows:
        lines.append({column: _rounded(cell) for column, cell in row.items()})
    return csv_text(lines)


def _rounded(cell: Any) -> Any:
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return cell
