"""Vela as a program, which compiles an int8 ``.tflite`` in a subprocess.

A subprocess, because an odd network can crash Vela's C++ core and take its process with it.
"""

import hashlib
import importlib.metadata
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget, Prediction
from tinyprune.errors import TinypruneError
from tinyprune.npu import tables, vela_config
from tinyprune.npu.vela_process import exit_code
from tinyprune.npu.vela_report import read_report
from tinyprune.storage.digests import read_sealed_as, sha256, write_sealed
from tinyprune.storage.writing import (
    check_held,
    is_running,
    make_folder,
    sync_file,
    sync_folder,
)
from tinyprune.tflite.flatbuffer import ParsedFile, read_file, require_int8
from tinyprune.tflite.graph import Graph
from tinyprune.tflite.lowering.rewritten import Rewritten

LOG_NAME, RECORD_NAME = "vela.log", "report.json"
LONGEST_NAME = 100


_PROGRAM = """
import ctypes, os, runpy, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() == int(sys.argv.pop(1)):
    runpy.run_module("ethosu.vela", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class _Inputs:
    """The inputs of a compilation besides target and Vela; fields as in CompiledArtifact."""

    source_sha256: str
    layers_sha256: str
    config_sha256: str


def version() -> str:
    """Return the version of the installed Vela, e.g. "5.2.0". Raises TinypruneError without one."""
    try:
        return importlib.metadata.version("ethos-u-vela")
    except importlib.metadata.PackageNotFoundError:
        raise TinypruneError(
            "Vela is not installed for this Python: pip install ethos-u-vela"
        ) from None


def command() -> list[str]:
    """Return the start of Vela's command line.

    The Python that runs tinyprune runs it, so that no other Vela on the PATH slips in. It ends when
    this process does, however that ends.
    """
    return [sys.executable, "-c", _PROGRAM, str(os.getpid())]


def compile_tflite(
    source: Path,
    target: NpuTarget,
    output_dir: Path,
    layers: Sequence[str] = (),
    timeout_seconds: float = 300,
) -> CompiledArtifact:
    """Read an int8 ``.tflite`` and compile it (:func:`compile_file`).

    Raises UsageError for a source that is missing, no TFLite or damaged, and what
    :func:`compile_file` raises.
    """
    return compile_file(read_file(source), target, output_dir, layers, timeout_seconds)


def compile_file(
    source: ParsedFile,
    target: NpuTarget,
    output_dir: Path,
    layers: Sequence[str] = (),
    timeout_seconds: float = 300,
    rewritten: Rewritten | None = None,
    lowering: str = "",
) -> CompiledArtifact:
    """Compile an int8 ``.tflite`` for a target; a small network takes about half a second.

    ``output_dir`` gets ``<stem>_vela.tflite``, Vela's tables, ``report.json`` with the returned
    record, and ``vela.log`` with everything that Vela printed. Each file appears whole, other files
    in the folder stay. After a failure only ``vela.log`` is new. What is there already, of the same
    network, target, layer names and version of Vela, is not made again.

    Args:
        source: the network.
        target: the accelerator, its system config and memory mode.
        output_dir: the folder of the result.
        layers: the layer of every operator in ``source`` (npu/layers.py).
        timeout_seconds: time after which Vela is stopped.
        rewritten: another form of the network, which Vela is given in its place.
        lowering: how that was chosen, for the record.

    Raises:
        UsageError: the network is float or compiled already.
        TinypruneError: Vela is missing, fails, crashes, takes too long, puts nothing on the NPU, or
            writes tables that cannot be read.
    """
    earlier_one = earlier(source, target, output_dir, layers, lowering)
    if earlier_one is not None:
        return earlier_one

    require_int8(source.path, source.graph)
    vela_version = version()
    inputs = _inputs(source, target, layers)
    try:
        check_held(output_dir.resolve() / RECORD_NAME)
        make_folder(output_dir)
        # Inside output_dir: certain to be on the same file system, so that moving a file is one
        # step.
        with tempfile.TemporaryDirectory(prefix=_scratch(), dir=output_dir.absolute()) as name:
            folder = Path(name)
            try:
                given = _given(source, rewritten, folder)
                _run(given, target, folder, timeout_seconds)
                report = read_report(folder, target, vela_version, source.graph, layers, rewritten)
            except TinypruneError as error:
                _move(folder / LOG_NAME, output_dir)
                raise TinypruneError(
                    f"{source.path} for {target.npu}: {error}; see {output_dir / LOG_NAME}"
                ) from error
            if rewritten is None:
                report = replace(report, predicted=_prediction(source.graph, target))
            compiled = tables.only(folder, "*_vela.tflite")
            made = CompiledArtifact(
                source=source.path,
                source_sha256=inputs.source_sha256,
                path=output_dir / compiled.name,
                report=report,
                sha256=sha256(compiled),
                config_sha256=inputs.config_sha256,
                layers_sha256=inputs.layers_sha256,
                lowering=lowering,
            )
            write_sealed(folder / RECORD_NAME, made)
            _move_results(folder, compiled, output_dir)
    except OSError as error:
        reason = error.strerror or error
        raise TinypruneError(f"cannot compile into {output_dir}: {reason}") from error
    return made


def earlier(
    source: ParsedFile,
    target: NpuTarget,
    output_dir: Path,
    layers: Sequence[str] = (),
    lowering: str = "",
) -> CompiledArtifact | None:
    """Return what was compiled before into a folder, if it is what would be made now.

    What a compilation has left there that was killed at its end goes. Arguments as of
    :func:`compile_file`.
    """
    _remove_scratch(output_dir)
    try:
        done = read_sealed_as(output_dir / RECORD_NAME, CompiledArtifact, "it is made again")
        path = output_dir / done.path.name
        its_inputs = _Inputs(done.source_sha256, done.layers_sha256, done.config_sha256)
        if its_inputs != _inputs(source, target, layers) or done.report.target != target:
            return None
        if done.report.vela_version != version() or not (output_dir / LOG_NAME).exists():
            return None
        if sha256(path) != done.sha256 or done.lowering != lowering:
            return None
    except (TinypruneError, OSError):  # nothing is there, or nothing that can be used
        return None
    report = done.report
    if not report.lowered:
        report = replace(report, predicted=_prediction(source.graph, target))
    # The folder may have been moved.
    return replace(done, source=source.path, path=path, report=report)


def _inputs(source: ParsedFile, target: NpuTarget, layers: Sequence[str]) -> _Inputs:
    return _Inputs(
        source_sha256=source.sha256,
        layers_sha256=_sha256("\n".join(layers).encode()),
        config_sha256=_config_sha256(target),
    )


def _given(source: ParsedFile, rewritten: Rewritten | None, folder: Path) -> Path:
    """Return the file that Vela is given: one whose name it can read, print and make longer."""
    path = source.path.absolute()
    is_plain = _is_plain(path)
    if rewritten is None and is_plain:
        return path
    name = path.name if is_plain else "network.tflite"
    given = folder / "given" / name
    given.parent.mkdir()
    if rewritten is None:
        shutil.copyfile(path, given)
    else:
        given.write_bytes(rewritten.content)
    return given


def _is_plain(path: Path) -> bool:
    """Return whether Vela takes a path; to names it adds up to a hundred letters of its own."""
    return len(path.stem) <= LONGEST_NAME and str(path).isprintable()


def _prediction(graph: Graph, target: NpuTarget) -> Prediction | None:
    from tinyprune.npu.prediction import predict_graph

    return predict_graph(graph, target)


def _run(source: Path, target: NpuTarget, folder: Path, timeout_seconds: float) -> None:
    arguments = command()
    arguments.append(str(source))
    arguments += vela_config.arguments(target)
    arguments += ["--accelerator-config", target.npu]
    arguments += ["--system-config", target.system_config, "--memory-mode", target.memory_mode]
    arguments += ["--optimise", target.optimise.capitalize()]
    if target.arena_bytes is not None:
        arguments += ["--arena-cache-size", str(target.arena_bytes)]
    arguments += ["--output-dir", str(folder), "--verbose-performance", "--enable-debug-db"]
    log = folder / LOG_NAME
    code = exit_code(arguments, log, timeout_seconds)
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
    """Return the last line that says something: not a rule of ``#`` or ``-``."""
    text = log.read_text(encoding="utf-8", errors="replace")
    for line in reversed(text.splitlines()):
        if any(map(str.isalnum, line)):
            return line.strip()
    return "it printed nothing"


def _move_results(folder: Path, compiled: Path, output_dir: Path) -> None:
    """Move everything that is kept; the record last, because it stands for all."""
    for pattern in ("*.csv", "*_debug.xml"):
        for file in folder.glob(pattern):
            _move(file, output_dir)
    _move(folder / LOG_NAME, output_dir)
    _move(compiled, output_dir)
    sync_folder(output_dir)
    _move(folder / RECORD_NAME, output_dir)
    sync_folder(output_dir)


def _move(file: Path, output_dir: Path) -> None:
    check_held(output_dir.resolve() / file.name)
    sync_file(file)
    file.replace(output_dir / file.name)


def _scratch() -> str:
    """Return how the names of scratch folders of this process begin."""
    return f".vela-{os.getpid()}-"


def _remove_scratch(output_dir: Path) -> None:
    """Remove the scratch folders of compilations whose process was killed."""
    for folder in output_dir.glob(".vela-*-*"):
        _, process, _ = folder.name.split("-", 2)
        if process.isdecimal() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _config_sha256(target: NpuTarget) -> str:
    """Return that of Vela's configuration file.

    It is empty for the one that comes with Vela, which its version stands for.
    """
    path = Path(target.vela_config)
    if path.is_file():
        return _sha256(path.read_bytes())
    return ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
