"""Vela's tables beside the compiled network: its summary, its operators, its debug database.

Vela's units (KiB for memory in use, bytes for traffic and weights) are converted here and nowhere
else.
"""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass
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
    "core_clock",
    "inference_time",
    "sram_memory_used",
    "dram_memory_used",
    "on_chip_flash_memory_used",
    "total_npu_encoded_weights",
    "nn_macs",
    "cycles_total",
    *CYCLES.values(),
)
_SCALE_BYTES = 10  # of bias and scale, per output channel
_ALIGNMENT = 16  # of each encoded tensor, in bytes
_ON_CPU = "Passthrough"  # Vela's word for what it leaves to the CPU


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a pattern in a folder. Raises TinypruneError."""
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise TinypruneError(f"expected one file {pattern} from Vela, found {len(files)}")
    return files[0]


def summary(folder: Path) -> dict[str, float]:
    """Return the one row of Vela's summary, in Vela's units.

    Raises TinypruneError for a number that is missing or none.
    """
    path = only(folder, "*_summary_*.csv")
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != 1:
        raise TinypruneError(f"expected one row in Vela's {path.name}, found {len(rows)}")
    return {column: _number(rows[0], column, path) for column in _SUMMARY_COLUMNS}


@dataclass(frozen=True)
class _Origin:
    """The part of an operator that the debug database knows; fields as in OperatorCost."""

    source: int | None = None
    encoded_weight_bytes: int = 0
    scale_bytes: int = 0


def operators(folder: Path) -> tuple[OperatorCost, ...]:
    """Return Vela's operators in order of execution.

    They have weights and sources where the debug database has them. One that cannot be read, or
    does not fit to the table of operators, is left out.

    Raises TinypruneError if the table of operators cannot be read.
    """
    path = only(folder, "*_per-layer.csv")
    header, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    columns = header.split(",")
    rows: list[Row] = []
    for line in filter(None, lines):
        # Vela does not quote, and a name may hold a comma; it is the last column.
        cells = line.split(",", len(columns) - 1)
        rows.append(dict(zip(columns, cells, strict=False)))
    origins = _origins(folder, [_text(row, "Name", path) for row in rows])
    costs = [_operator(row, path, origin) for row, origin in zip(rows, origins, strict=True)]
    return tuple(costs)


def _operator(row: Row, path: Path, origin: _Origin) -> OperatorCost:
    name = _text(row, "NNG Operator", path)
    is_on_cpu = name == _ON_CPU
    # Of what runs on the NPU, its own name says more.
    operator = _text(row, "Original Operator", path) if is_on_cpu else name
    return OperatorCost(
        name=_text(row, "Name", path),
        operator=operator,
        sram_bytes=_number(row, "Staging Usage", path),
        cycles=_number(row, "Op Cycles", path),
        cycles_npu=_number(row, "NPU", path),
        cycles_sram=_number(row, "SRAM AC", path),
        cycles_dram=_number(row, "DRAM AC", path),
        cycles_on_chip_flash=_number(row, "OnFlash AC", path),
        cycles_off_chip_flash=_number(row, "OffFlash AC", path),
        macs=int(_number(row, "MAC Count", path)),
        on_npu=not is_on_cpu,
        source=origin.source,
        encoded_weight_bytes=origin.encoded_weight_bytes,
        scale_bytes=origin.scale_bytes,
    )


def _origins(folder: Path, names: list[str]) -> list[_Origin]:
    """Return the origin of every operator, from the debug database.

    ``perf`` has the operators of the other table in the same order, ``source`` those of the
    ``.tflite`` with their number (ext_key), ``perf_debug`` the encoded weights.
    """
    try:
        database = _database(only(folder, "*_debug.xml"))
        sources = {row["id"]: int(row["ext_key"]) for row in database["source"]}
        sizes = {row["id"]: row for row in database["perf_debug"]}
        if [row["name"] for row in database["perf"]] != names:
            raise ValueError("its operators are not those of the other table")
        origins = []
        for row in database["perf"]:
            size = sizes[row["id"]]
            weight_bytes = int(size["weight_total_bytes"] or 0)
            scale_bytes = _SCALE_BYTES * int(size["ofm_shape_c"] or 0) if weight_bytes else 0
            aligned_bytes = -(-scale_bytes // _ALIGNMENT) * _ALIGNMENT
            origins.append(_Origin(sources.get(row["source_id"]), weight_bytes, aligned_bytes))
    except (TinypruneError, ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        log.debug("Vela's debug database is of no use, so layers are not known: %s", error)
        return [_Origin()] * len(names)
    return origins


def stream_places(folder: Path) -> dict[tuple[int, int], int]:
    """Return which operator each operation of the command streams belongs to.

    Keys: number of the stream, place of the operation in it, in bytes. Values: number of the
    operator in :func:`operators`. Transfers have none. Empty where the debug database cannot be
    read, as where it is not there.
    """
    try:
        database = _database(only(folder, "*_debug.xml"))
        numbers = {row["id"]: number for number, row in enumerate(database["perf"])}
        streams: dict[str, int] = {}
        places = {}
        for row in database["queue"]:
            stream = streams.setdefault(row["cmdstream_id"], len(streams))
            places[stream, int(row["offset"])] = numbers[row["scheduled_id"]]
    except (TinypruneError, ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        log.debug("Vela's debug database does not say whose the operations are: %s", error)
        return {}
    return places


def _database(path: Path) -> dict[str, list[dict[str, str]]]:
    """Return table -> rows of a debug database, which is CSV in XML."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8", errors="replace"))
    tables = {}
    for table in root.iter("table"):
        lines = (table.text or "").strip().splitlines()
        tables[str(table.get("name"))] = list(csv.DictReader(lines))
    return tables


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
