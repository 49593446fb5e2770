"""What Vela writes beside the compiled network: its summary, its table of operators, its debug database.

Vela's units (KiB for memory in use, bytes for traffic and weights) are converted here and nowhere
else.
"""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from tinyprune.artifacts.resources import OperatorCost
from tinyprune.errors import TinypruneError

log = logging.getLogger(__name__)
Row = Mapping[str, str]

KIB = 1024
#: Part of the cycles (resources.Cycles.PARTS) -> its column in the summary.
CYCLES = {
    "NPU": "cycles_npu",
    "SRAM": "cycles_sram_access",
    "DRAM": "cycles_dram_access",
    "on-chip flash": "cycles_on_chip_flash_access",
    "off-chip flash": "cycles_off_chip_flash_access",
}
_SUMMARY_COLUMNS = (
    *(
        "core_clock",
        "inference_time",
        "sram_memory_used",
        "dram_memory_used",
        "on_chip_flash_memory_used",
    ),
    *("total_npu_encoded_weights", "nn_macs", "cycles_total", *CYCLES.values()),
)
_SCALE_BYTES, _ALIGNMENT = 10, 16  # of bias and scale: per output channel; of each encoded tensor
_ON_CPU = "Passthrough"  # Vela's word for what it leaves to the CPU


def only(folder: Path, pattern: str) -> Path:
    """The one file of a pattern in a folder. Raises TinypruneError."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise TinypruneError(f"expected one file {pattern} from Vela, found {len(found)}")
    return found[0]


def summary(folder: Path) -> dict[str, float]:
    """The one row of Vela's summary, in Vela's units. Raises TinypruneError for what is missing or no number."""
    path = only(folder, "*_summary_*.csv")
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != 1:
        raise TinypruneError(f"expected one row in Vela's {path.name}, found {len(rows)}")
    return {column: _number(rows[0], column, path) for column in _SUMMARY_COLUMNS}


def operators(folder: Path) -> tuple[OperatorCost, ...]:
    """Vela's operators in order of execution, with their weights and sources where the debug database has them.

    Raises TinypruneError if the table of operators cannot be read; a debug database that cannot be
    read, or does not fit to that table, is left out.
    """
    path = only(folder, "*_per-layer.csv")
    header, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    columns = header.split(",")
    # Vela does not quote, and a name may hold a comma; it is the last column.
    rows = [
        dict(zip(columns, line.split(",", len(columns) - 1), strict=False))
        for line in lines
        if line
    ]
    known = _origins(folder, [_text(row, "Name", path) for row in rows])
    return tuple(_operator(row, path, *origin) for row, origin in zip(rows, known, strict=True))


def _operator(row: Row, path: Path, source: int | None, encoded: int, scales: int) -> OperatorCost:
    name = _text(row, "NNG Operator", path)
    return OperatorCost(
        name=_text(row, "Name", path),
        operator=_text(row, "Original Operator", path)
        if name == _ON_CPU
        else name,  # its own name says more
        sram_bytes=_number(row, "Staging Usage", path),
        cycles=_number(row, "Op Cycles", path),
        cycles_npu=_number(row, "NPU", path),
        cycles_sram=_number(row, "SRAM AC", path),
        cycles_dram=_number(row, "DRAM AC", path),
        cycles_on_chip_flash=_number(row, "OnFlash AC", path),
        cycles_off_chip_flash=_number(row, "OffFlash AC", path),
        macs=int(_number(row, "MAC Count", path)),
        on_npu=name != _ON_CPU,
        source=source,
        encoded_weight_bytes=encoded,
        scale_bytes=scales,
    )


def _origins(folder: Path, names: list[str]) -> list[tuple[int | None, int, int]]:
    """Per operator: which operator of the ``.tflite`` it comes from, bytes of its weights, of its biases and scales.

    ``perf`` has the operators of the other table in the same order, ``source`` those of the
    ``.tflite`` with their number (ext_key), ``perf_debug`` the encoded weights.
    """
    unknown: list[tuple[int | None, int, int]] = [(None, 0, 0)] * len(names)
    try:
        found = _database(only(folder, "*_debug.xml"))
        sources = {row["id"]: int(row["ext_key"]) for row in found["source"]}
        sizes = {row["id"]: row for row in found["perf_debug"]}
        if [row["name"] for row in found["perf"]] != names:
            raise ValueError("its operators are not those of the other table")
        return [(sources.get(row["source_id"]), *_bytes(sizes[row["id"]])) for row in found["perf"]]
    except (TinypruneError, ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        log.debug("Vela's debug database is of no use, so layers are not known: %s", error)
        return unknown


def _bytes(row: Row) -> tuple[int, int]:
    """Bytes of encoded weights, and of biases and scales, of one operator."""
    weights = int(row["weight_total_bytes"] or 0)
    scales = _SCALE_BYTES * int(row["ofm_shape_c"] or 0) if weights else 0
    return weights, -(-scales // _ALIGNMENT) * _ALIGNMENT


def _database(path: Path) -> dict[str, list[dict[str, str]]]:
    """Table -> rows of a debug database, which is CSV in XML."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8", errors="replace"))
    return {
        str(table.get("name")): list(csv.DictReader((table.text or "").strip().splitlines()))
        for table in root.iter("table")
    }


def _number(row: Row, column: str, path: Path) -> float:
    text = _text(row, column, path)
    try:
        return float(text)
    except ValueError:
        raise TinypruneError(
            f"column {column} of Vela's {path.name} holds '{text}' instead of a number"
        ) from None


def _text(row: Row, column: str, path: Path) -> str:
    # DictReader gives None for the cells that a short row lacks.
    if row.get(column) is None:
        raise TinypruneError(
            f"Vela's {path.name} has no column '{column}': is this version of Vela supported?"
        )
    return row[column]
