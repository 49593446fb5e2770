"""Many compilations at once: Vela is a program of its own, so threads that wait for it keep every core busy."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.npu import vela
from tinyprune.progress import track


@dataclass(frozen=True)
class Job:
    """One compilation. Attributes: as the arguments of :func:`tinyprune.npu.vela.compile_tflite`."""

    source: Path
    target: NpuTarget
    output_dir: Path
    layers: tuple[str, ...] = ()


def compile_many(jobs: Sequence[Job], workers: int | None = None) -> list[CompiledArtifact]:
    """Compile all jobs, ``workers`` at a time (default: one per core), in their order.

    Raises what the first job that fails raises; jobs that have not begun are dropped.
    """
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        waiting = [
            pool.submit(vela.compile_tflite, j.source, j.target, j.output_dir, j.layers)
            for j in jobs
        ]
        return [future.result() for future in track(waiting, "compiling", total=len(jobs))]
    finally:
        pool.shutdown(cancel_futures=True)
