"""Vela in the loop: the network as it is now, exported and compiled in the background while it goes on learning."""

import logging
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import keras
import numpy.typing as npt

from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.errors import TinypruneError
from tinyprune.export.tflite import convert
from tinyprune.npu import vela
from tinyprune.storage.writing import writing

log = logging.getLogger(__name__)


class VelaLoop:
    """Compilations of a network that changes; one at a time.

    Attributes:
        target: what for.
    """

    def __init__(
        self, target: NpuTarget, frames: int | None, calibration: npt.NDArray, folder: Path
    ) -> None:
        """``frames``, ``calibration``: as in :func:`tinyprune.export.tflite.convert`; ``folder``: for its files."""
        self.target, self._frames, self._calibration, self._folder = (
            target,
            frames,
            calibration,
            folder,
        )
        self._pool = ThreadPoolExecutor(1)
        self._waiting: Future[ResourceReport] | None = None

    def start(self, model: keras.Model) -> None:
        """Begin with a plain canonical model."""
        self._waiting = self._pool.submit(self.compile, model)

    def result(self) -> ResourceReport | None:
        """What the compilation that was begun says, when it is done; one that failed is only told of.

        It is waited for: with the same seed, a training is the same on a slower machine.
        """
        try:
            return self._waiting.result() if self._waiting else None
        except TinypruneError as error:
            log.warning("the network of this epoch could not be measured: %s", error)
            return None
        finally:
            self._waiting = None

    def compile(self, model: keras.Model) -> ResourceReport:
        """Export and compile now. Raises what :func:`convert` and Vela raise."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "network.tflite"
        with writing(path) as part:
            part.write_bytes(convert(model, self._frames, self._calibration))
        return vela.compile_tflite(path, self.target, self._folder).report

    def close(self) -> None:
        """Wait for what is under way, and remove its files."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)
