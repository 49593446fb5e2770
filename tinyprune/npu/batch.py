"""A batch of compilations.

Vela is a program of its own, so threads that wait for it keep every core busy.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.npu.vela_process import vela_threads
from tinyprune.progress import track
from tinyprune.tflite.flatbuffer import ParsedFile, read_file


@dataclass(frozen=True)
class Compilation:
    """One compilation of a batch.

    Attributes:
        source, target, output_dir, layers: arguments of
            :func:`tinyprune.npu.lowering.compile_lowered`.
    """

    source: Path
    target: NpuTarget
    output_dir: Path
    layers: tuple[str, ...] = ()


def compile_batch(
    compilations: Sequence[Compilation], workers: int | None = None
) -> list[CompiledArtifact]:
    """Compile a batch, ``workers`` at a time (default: one per core), and return results in order.

    Raises what the first compilation that fails raises; those that have not begun are dropped.
    """
    from tinyprune.npu.lowering import compile_lowered

    sources = _Sources()

    def compile_one(item: Compilation) -> CompiledArtifact:
        source = sources.file(item.source)
        return compile_lowered(source, item.target, item.output_dir, item.layers)

    with vela_threads(workers or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(compile_one, item) for item in compilations]
        finished = track(waiting, "compiling", total=len(compilations))
        return [future.result() for future in finished]


class _Sources:
    """The files of a batch, each read and parsed by the first compilation that needs it."""

    def __init__(self) -> None:
        self._files: dict[Path, ParsedFile] = {}
        self._lock = Lock()

    def file(self, path: Path) -> ParsedFile:
        """Return a file. Raises what reading it raises, each time."""
        with self._lock:
            if path not in self._files:
                self._files[path] = read_file(path)
            return self._files[path]
