"""Vela as a program: compile an int8 ``.tflite`` in a subprocess, read what it costs from Vela's tables.

A subprocess, because an odd network can crash Vela's C++ core and take its process with it. Vela's units (KiB for
memory in use, bytes for traffic and weights) are converted here and nowhere else.
"""

import csv
import hashlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tinyprune import flatbuffer
from tinyprune.artifacts import CompiledArtifact, LayerCost, NpuTarget, ResourceReport
from tinyprune.errors import TinypruneError

LOG_NAME = "vela.log"

_KIB = 1024
_COMMAND_STREAM = "ethos_u_command_stream"
#: Unit -> its column in the summary. The order decides a tie: what computes is named before what feeds it.
_CYCLES = {
    "NPU": "cycles_npu",
    "SRAM": "cycles_sram_access",
    "DRAM": "cycles_dram_access",
    "on-chip flash": "cycles_on_chip_flash_access",
    "off-chip flash": "cycles_off_chip_flash_access",
}


def version() -> str:
    """Version of the installed Vela, e.g. "5.2.0". Raises TinypruneError if there is none."""
    try:
        return importlib.metadata.version("ethos-u-vela")
    except importlib.metadata.PackageNotFoundError:
        raise TinypruneError("Vela is not installed for this Python: pip install ethos-u-vela") from None


def command() -> list[str]:
    """How Vela is started: with the Python that runs tinyprune, so that no other Vela on the PATH slips in."""
    return [sys.executable, "-m", "ethosu.vela"]


def compile_tflite(source: Path, target: NpuTarget, output_dir: Path, timeout_seconds: float = 300) -> CompiledArtifact:
    """Compile an int8 ``.tflite`` for a target; about half a second for a small network.

    ``output_dir`` gets ``<stem>_vela.tflite``, Vela's two CSV tables and ``vela.log`` with everything that Vela
    printed; each file appears whole, other files in the folder stay. After a failure only ``vela.log`` is new.

    Raises UsageError for a source that is missing, no TFLite, damaged, float or compiled already, TinypruneError if
    Vela is missing, fails, crashes, takes longer than ``timeout_seconds``, puts nothing on the NPU or writes tables
    that cannot be read.
    """
    flatbuffer.require_int8(source, flatbuffer.read(source))
    vela_version = version()
    try:
        sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        output_dir.mkdir(parents=True, exist_ok=True)
        # Inside output_dir: certain to be on the same file system, so that moving a file is one step.
        with tempfile.TemporaryDirectory(prefix=".vela-", dir=output_dir.absolute()) as name:
            folder = Path(name)
            try:
                _run(source.absolute(), target, folder, timeout_seconds)
                report = read_report(folder, target, vela_version)
            except TinypruneError as error:
                _move(folder / LOG_NAME, output_dir)
                raise TinypruneError(f"{source} for {target.npu}: {error}; see {output_dir / LOG_NAME}") from error
            compiled = _only(folder, "*_vela.tflite")
            for file in (*folder.glob("*.csv"), folder / LOG_NAME, compiled):
                _move(file, output_dir)
    except OSError as error:
        raise TinypruneError(f"cannot compile into {output_dir}: {error.strerror or error}") from error
    return CompiledArtifact(source=source, source_sha256=sha256, path=output_dir / compiled.name, report=report)


def read_report(folder: Path, target: NpuTarget, vela_version: str) -> ResourceReport:
    """What a compiled network costs, from the files that Vela left in a folder. Raises TinypruneError.

    Where the sizes come from:

    - ``encoded_weight_bytes``: ``total_npu_encoded_weights``. Weights alone, as Vela compresses them.
    - ``flash_bytes``: the constants of the compiled file, each stored buffer once: encoded weights, bias and scale
      (10 bytes per output channel and matrix) and lookup tables of the NPU operators, plus the weights of operators
      left to the CPU, which Vela does not count. Without CPU operators it is to the byte what Vela prints as used in
      flash (Shared_Sram), and what has to be stored before boot code copies it to SRAM (Sram_Only, where Vela 5.2
      calls it "on-chip flash") or DRAM (Dedicated_Sram, where Vela adds the arena to it, we do not). The command
      stream and the rest of the file, a few kB, are not in it: the size of the compiled file is the sum of all.
    - ``sram_bytes``: ``sram_memory_used`` plus ``on_chip_flash_memory_used``, because in Arm's configurations the
      latter is the SRAM under another name. With Dedicated_Sram it is the NPU's cache; the arena is in DRAM.
    """
    graph = flatbuffer.read(_only(folder, "*_vela.tflite"))
    row = _summary(_only(folder, "*_summary_*.csv"))
    cpu = tuple(operator.name for operator in graph.operators if operator.name != flatbuffer.NPU_OPERATOR)
    if len(cpu) == len(graph.operators):
        raise TinypruneError(f"Vela puts no operator on the NPU; on the CPU stay {', '.join(dict.fromkeys(cpu))}")
    cycles = {unit: row[column] for unit, column in _CYCLES.items()}
    return ResourceReport(
        target=target,
        vela_version=vela_version,
        sram_bytes=_KIB * (row["sram_memory_used"] + row["on_chip_flash_memory_used"]),
        flash_bytes=_constant_bytes(graph),
        encoded_weight_bytes=row["total_npu_encoded_weights"],
        cycles=row["cycles_total"],
        cycles_npu=cycles["NPU"],
        cycles_sram=cycles["SRAM"],
        cycles_dram=cycles["DRAM"],
        cycles_on_chip_flash=cycles["on-chip flash"],
        cycles_off_chip_flash=cycles["off-chip flash"],
        macs=int(row["nn_macs"]),
        clock_hz=row["core_clock"],
        inference_seconds=row["inference_time"],
        cpu_operators=cpu,
        layers=_layers(_only(folder, "*_per-layer.csv")),
        bound_by=max(cycles, key=lambda unit: cycles[unit]),
    )


def _run(source: Path, target: NpuTarget, folder: Path, timeout_seconds: float) -> None:
    arguments = [*command(), str(source), "--config", "Arm/vela.ini", "--accelerator-config", target.npu]
    arguments += ["--system-config", target.system_config, "--memory-mode", target.memory_mode]
    arguments += ["--output-dir", str(folder), "--verbose-performance"]
    log = folder / LOG_NAME
    # UTF-8: file names in Vela's output. Unbuffered: the log of a crash is complete. cwd: nothing there is imported.
    environment = os.environ | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as stream:
        try:
            code = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                timeout=timeout_seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise TinypruneError(f"Vela was stopped after {timeout_seconds:g} s") from None
        except OSError as error:
            message = f"Vela does not start ({arguments[0]}: {error.strerror}): pip install ethos-u-vela"
            raise TinypruneError(message) from error
    if code:
        raise TinypruneError(f"Vela {_ending(code)}: {_last_line(log)}")


def _ending(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"crashed by {signal.Signals(-code).name}"
    except ValueError:
        return f"crashed by signal {-code}"


def _last_line(log: Path) -> str:
    """The last line that says something: not a rule of ``#`` or ``-``."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if any(map(str.isalnum, line))), "it printed nothing")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise TinypruneError(f"expected one file {pattern} from Vela, found {len(found)}")
    return found[0]


def _move(file: Path, output_dir: Path) -> None:
    file.replace(output_dir / file.name)


def _constant_bytes(graph: flatbuffer.Graph) -> int:
    constants = flatbuffer.constants(graph.operators)
    return sum(tensor.data.nbytes for tensor in constants if tensor.data is not None and tensor.name != _COMMAND_STREAM)


_SUMMARY_COLUMNS = (
    *("core_clock", "inference_time", "sram_memory_used", "on_chip_flash_memory_used"),
    *("total_npu_encoded_weights", "nn_macs", "cycles_total", *_CYCLES.values()),
)


def _summary(path: Path) -> dict[str, float]:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != 1:
        raise TinypruneError(f"expected one row in Vela's {path.name}, found {len(rows)}")
    return {column: _number(rows[0], column, path) for column in _SUMMARY_COLUMNS}


def _layers(path: Path) -> tuple[LayerCost, ...]:
    header, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    columns = header.split(",")
    # Vela does not quote, and a name may hold a comma; it is the last column.
    rows = (dict(zip(columns, line.split(",", len(columns) - 1), strict=False)) for line in lines if line)
    return tuple(_layer(row, path) for row in rows)


def _layer(row: Mapping[str, str], path: Path) -> LayerCost:
    operator = _text(row, "NNG Operator", path)
    return LayerCost(
        name=_text(row, "Name", path),
        # Vela's word for what it leaves to the CPU; the operator's own name says more.
        operator=_text(row, "Original Operator", path) if operator == "Passthrough" else operator,
        sram_bytes=_number(row, "Staging Usage", path),
        cycles=_number(row, "Op Cycles", path),
        cycles_npu=_number(row, "NPU", path),
        cycles_sram=_number(row, "SRAM AC", path),
        cycles_dram=_number(row, "DRAM AC", path),
        cycles_on_chip_flash=_number(row, "OnFlash AC", path),
        cycles_off_chip_flash=_number(row, "OffFlash AC", path),
        macs=int(_number(row, "MAC Count", path)),
    )


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    text = _text(row, column, path)
    try:
        return float(text)
    except ValueError:
        raise TinypruneError(f"column {column} of Vela's {path.name} holds '{text}' instead of a number") from None


def _text(row: Mapping[str, str], column: str, path: Path) -> str:
    # DictReader gives None for the cells that a short row lacks.
    if row.get(column) is None:
        raise TinypruneError(f"Vela's {path.name} has no column '{column}': is this version of Vela supported?")
    return row[column]
