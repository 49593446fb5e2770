"""Vela as a program: compile an int8 ``.tflite`` in a subprocess, read what it costs from Vela's tables.

A subprocess, because an odd network can crash Vela's C++ core and take its process with it.
"""

import hashlib
import importlib.metadata
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyprune.artifacts.resources import (
    CompiledArtifact,
    Cycles,
    NpuTarget,
    Prediction,
    ResourceReport,
)
from tinyprune.errors import TinypruneError
from tinyprune.npu import tables, vela_config
from tinyprune.npu.layers import layer_costs
from tinyprune.storage.records import read_json, write_json
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import NPU_OPERATOR
from tinyprune.tflite.graph import constants as constants_of

LOG_NAME, RECORD_NAME = "vela.log", "report.json"

_COMMAND_STREAM = "ethos_u_command_stream"


def version() -> str:
    """Version of the installed Vela, e.g. "5.2.0". Raises TinypruneError if there is none."""
    try:
        return importlib.metadata.version("ethos-u-vela")
    except importlib.metadata.PackageNotFoundError:
        raise TinypruneError(
            "Vela is not installed for this Python: pip install ethos-u-vela"
        ) from None


def command() -> list[str]:
    """How Vela is started: with the Python that runs tinyprune, so that no other Vela on the PATH slips in."""
    return [sys.executable, "-m", "ethosu.vela"]


def compile_tflite(
    source: Path,
    target: NpuTarget,
    output_dir: Path,
    layers: Sequence[str] = (),
    timeout_seconds: float = 300,
) -> CompiledArtifact:
    """Compile an int8 ``.tflite`` for a target; about half a second for a small network, nothing for one that is done.

    ``output_dir`` gets ``<stem>_vela.tflite``, Vela's tables, ``report.json`` with the returned
    record, and ``vela.log`` with everything that Vela printed; each file appears whole, other files
    in the folder stay. After a failure only ``vela.log`` is new. What is there already, of the same
    network, target, layer names and version of
    Vela, is not made again. ``layers``: the layer of every operator in ``source``
        (:func:`layer_costs`).

    Raises UsageError for a source that is missing, no TFLite, damaged, float or compiled already,
    TinypruneError if Vela is missing, fails, crashes, takes longer than ``timeout_seconds``, puts
    nothing on the NPU or writes tables that cannot be read.
    """
    wanted = {
        "source_sha256": flatbuffer.sha256(source),
        "layers_sha256": _sha256("\n".join(layers).encode()),
    }
    wanted["config_sha256"] = _config_sha256(target)
    graph = flatbuffer.read(source)
    if (done := _found(source, target, output_dir, wanted)) is not None:
        return replace(done, report=replace(done.report, predicted=_predicted(graph, target)))
    flatbuffer.require_int8(source, graph)
    vela_version = version()
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        # Inside output_dir: certain to be on the same file system, so that moving a file is one
        # step.
        with tempfile.TemporaryDirectory(prefix=".vela-", dir=output_dir.absolute()) as name:
            folder = Path(name)
            try:
                _run(source.absolute(), target, folder, timeout_seconds)
                report = read_report(folder, target, vela_version, graph, layers)
            except TinypruneError as error:
                _move(folder / LOG_NAME, output_dir)
                raise TinypruneError(
                    f"{source} for {target.npu}: {error}; see {output_dir / LOG_NAME}"
                ) from error
            compiled = tables.only(folder, "*_vela.tflite")
            made = CompiledArtifact(
                source=source,
                path=output_dir / compiled.name,
                report=report,
                sha256=flatbuffer.sha256(compiled),
                **wanted,
            )
            write_json(folder / RECORD_NAME, made)
            tables_and_log = (*folder.glob("*.csv"), *folder.glob("*_debug.xml"), folder / LOG_NAME)
            for file in (
                *tables_and_log,
                compiled,
                folder / RECORD_NAME,
            ):  # the record last: it stands for all
                _move(file, output_dir)
    except OSError as error:
        raise TinypruneError(
            f"cannot compile into {output_dir}: {error.strerror or error}"
        ) from error
    return made


def _found(
    source: Path, target: NpuTarget, output_dir: Path, wanted: dict[str, str]
) -> CompiledArtifact | None:
    """What was compiled before into a folder, if it is what would be made now."""
    try:
        done = read_json(output_dir / RECORD_NAME, CompiledArtifact)
        path = output_dir / done.path.name
        same = all(getattr(done, name) == value for name, value in wanted.items())
        if not same or (done.report.target, done.report.vela_version) != (target, version()):
            return None
        if not (output_dir / LOG_NAME).exists() or flatbuffer.sha256(path) != done.sha256:
            return None
    except TinypruneError:  # nothing is there, or nothing that can be used
        return None
    return replace(done, source=source, path=path)  # the folder may have been moved


def read_report(
    folder: Path,
    target: NpuTarget,
    vela_version: str,
    source: flatbuffer.Graph,
    layers: Sequence[str] = (),
) -> ResourceReport:
    """What a compiled network costs, from the files that Vela left in a folder. Raises TinypruneError.

    Where the sizes come from:

    - ``encoded_weight_bytes``: ``total_npu_encoded_weights``. Weights alone, as Vela compresses them.
    - ``flash_bytes``: the constants of the compiled file, each stored buffer once: encoded weights, bias and scale
      (10 bytes per output channel and matrix) and lookup tables of the NPU operators, plus the
      weights of operators left to the CPU, which Vela does not count. Without CPU operators it is
      to the byte what Vela prints as used in flash (Shared_Sram), and what has to be stored before
      boot code copies it to SRAM (Sram_Only, where Vela 5.2 calls it "on-chip flash") or DRAM
      (Dedicated_Sram, where Vela adds the arena to it, we do not). The command
      stream and the rest of the file, a few kB, are not in it: the size of the compiled file is the
          sum of all.
    - ``sram_bytes``: ``sram_memory_used`` plus ``on_chip_flash_memory_used``, because in Arm's configurations the
      latter is the SRAM under another name. With Dedicated_Sram it is the NPU's cache; the arena is
      in DRAM.
    - ``dram_bytes``: ``dram_memory_used`` without those constants of the NPU that are copied there.
    """
    compiled = tables.only(folder, "*_vela.tflite")
    graph, row = flatbuffer.read(compiled), tables.summary(folder)
    cpu = tuple(operator.name for operator in graph.operators if operator.name != NPU_OPERATOR)
    if len(cpu) == len(graph.operators):
        raise TinypruneError(
            f"Vela puts no operator on the NPU; on the CPU stay {', '.join(dict.fromkeys(cpu))}"
        )
    by_part = {field: row[tables.CYCLES[part]] for part, field in Cycles.PARTS.items()}
    cycles = Cycles(cycles=row["cycles_total"], **by_part)
    flash, stream, operators = (
        _constant_bytes(graph),
        _stream_bytes(graph),
        tables.operators(folder),
    )
    cpu_bytes = _constant_bytes(graph, on_npu=False)
    dram = tables.KIB * row["dram_memory_used"]
    return ResourceReport(
        target=target,
        vela_version=vela_version,
        sram_bytes=tables.KIB * (row["sram_memory_used"] + row["on_chip_flash_memory_used"]),
        flash_bytes=flash,
        encoded_weight_bytes=row["total_npu_encoded_weights"],
        macs=int(row["nn_macs"]),
        clock_hz=row["core_clock"],
        inference_seconds=row["inference_time"],
        cpu_operators=cpu,
        layers=layer_costs(operators, source, layers),
        bound_by=cycles.slowest_part,
        operators=operators,
        dram_bytes=max(0.0, dram - (flash - cpu_bytes)),
        scale_bytes=sum(operator.scale_bytes for operator in operators),
        cpu_weight_bytes=cpu_bytes,
        command_stream_bytes=stream,
        file_bytes=compiled.stat().st_size,
        predicted=_predicted(source, target),
        **cycles.as_fields(),
    )


def _predicted(graph: flatbuffer.Graph, target: NpuTarget) -> Prediction | None:
    from tinyprune.npu.prediction import of_graph

    return of_graph(graph, target)


def _run(source: Path, target: NpuTarget, folder: Path, timeout_seconds: float) -> None:
    arguments = [
        *command(),
        str(source),
        *vela_config.arguments(target),
        "--accelerator-config",
        target.npu,
    ]
    arguments += ["--system-config", target.system_config, "--memory-mode", target.memory_mode]
    arguments += ["--output-dir", str(folder), "--verbose-performance", "--enable-debug-db"]
    log = folder / LOG_NAME
    # UTF-8: file names in Vela's output. Unbuffered: the log of a crash is complete. cwd: nothing
    # there is imported.
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
            message = (
                f"Vela does not start ({arguments[0]}: {error.strerror}): pip install ethos-u-vela"
            )
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
    lines = [
        line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    return next(
        (line for line in reversed(lines) if any(map(str.isalnum, line))), "it printed nothing"
    )


def _move(file: Path, output_dir: Path) -> None:
    file.replace(output_dir / file.name)


def _constant_bytes(graph: flatbuffer.Graph, on_npu: bool = True) -> int:
    """Bytes of all constants without the command stream; of those that only CPU operators read, if not ``on_npu``."""
    operators = [op for op in graph.operators if on_npu or op.name != NPU_OPERATOR]
    constants = constants_of(tuple(operators))
    return sum(
        tensor.data.nbytes
        for tensor in constants
        if tensor.data is not None and tensor.name != _COMMAND_STREAM
    )


def _stream_bytes(graph: flatbuffer.Graph) -> int:
    constants = constants_of(graph.operators)
    return sum(
        tensor.data.nbytes
        for tensor in constants
        if tensor.data is not None and tensor.name == _COMMAND_STREAM
    )


def _config_sha256(target: NpuTarget) -> str:
    """Of Vela's configuration file; empty for one that comes with Vela, which its version stands for."""
    path = Path(target.vela_config)
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
