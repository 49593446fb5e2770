"""Vela in the loop: a network is compiled in the background while it goes on learning."""

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
from tinyprune.npu.vela_process import stopped
from tinyprune.storage.writing import writing

log = logging.getLogger(__name__)


class VelaLoop:
    """Compilations of a network that changes; one at a time.

    Attributes:
        target: the accelerator.
    """

    def __init__(
        self, target: NpuTarget, frames: int | None, calibration: npt.NDArray, folder: Path
    ) -> None:
        """``frames``, ``calibration``: as in :func:`tinyprune.export.tflite.convert`.

        ``folder``: for its files.
        """
        self.target = target
        self._frames = frames
        self._calibration = calibration
        self._folder = folder
        self._pool = ThreadPoolExecutor(1)
        self._waiting: Future[ResourceReport] | None = None

    def start(self, model: keras.Model) -> None:
        """Begin to compile a plain canonical model."""
        self._waiting = self._pool.submit(self.compile, model)

    def result(self) -> ResourceReport | None:
        """Wait for the compilation that was begun and return its report.

        One that failed is only logged. It is waited for, so that a training with the same seed is
        the same on a slower machine.
        """
        try:
            if self._waiting:
                return self._waiting.result()
            return None
        except TinypruneError as error:
            log.warning("the network of this epoch could not be measured: %s", error)
            return None
        finally:
            self._waiting = None

    def compile(self, model: keras.Model) -> ResourceReport:
        """Export and compile now, and return the report.

        Raises what :func:`convert` and Vela raise.
        """
        path = self._folder / "network.tflite"
        with writing(path) as part:
            part.write_bytes(convert(model, self._frames, self._calibration))
        return vela.compile_tflite(path, self.target, self._folder).report

    def close(self) -> None:
        """End what is under way, and remove its files."""
        with stopped():
            self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)
