"""What computes the network of a denoiser: LiteRT, TFLM, or the stream that a device would run."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from tinyprune import extras
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.npu.lowering import compile_lowered
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import TFLM_PACKAGE, Engine, Tflm

log = logging.getLogger(__name__)
TFLM, STREAM = "tflm", "stream"
#: Makes the engine of one channel.
EngineMaker = Callable[[], Engine]


def engine_maker(name: str, graph: Path, target: NpuTarget) -> EngineMaker | None:
    """Return the maker of engines of a name for a graph; None for LiteRT, which needs none.

    "tflm" is the interpreter of microcontrollers. "stream" is what Vela makes of the graph for
    ``target``, executed bit for bit.

    Raises UsageError where TFLM is not installed, TinypruneError where a network or its stream
    cannot be run.
    """
    if name == TFLM:
        return _tflm(graph)
    if name == STREAM:
        return _stream(graph, target)
    return None


def _tflm(graph: Path) -> EngineMaker:
    extras.require(TFLM_PACKAGE, "--engine tflm")
    content = flatbuffer.load(graph)
    return lambda: Tflm(content)


def _stream(graph: Path, target: NpuTarget) -> EngineMaker:
    folder = tempfile.TemporaryDirectory(prefix="tinyprune-")
    log.info("compiling for %s, whose stream is executed", target.name)
    compiled = compile_lowered(flatbuffer.read_file(graph), target, Path(folder.name))

    def make() -> Engine:
        return CompiledNetwork(Path(folder.name) / compiled.path.name)

    return make
