"""Running int8 networks: ``ai-edge-litert``, or ``tflite-runtime`` where only that is installed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.errors import TinypruneError

Floats = npt.NDArray[np.float32]


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise TinypruneError("no int8 interpreter is installed: pip install ai-edge-litert") from error
    return Interpreter


class Int8Model:
    """An int8 network that keeps its state between calls, as a device runs it.

    Attributes:
        frames: time steps of one call.
        input_scale, input_zero_point, output_scale, output_zero_point: float = scale * (int8 - zero_point).
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = _interpreter_class()(model_path=str(path), num_threads=threads)
        self._model.allocate_tensors()
        (given,), (made,) = self._model.get_input_details(), self._model.get_output_details()
        self._input, self._output = given["index"], made["index"]
        self._shape = tuple(int(size) for size in given["shape"])
        self.frames = self._shape[1]
        self.input_scale, self.input_zero_point = given["quantization"]
        self.output_scale, self.output_zero_point = made["quantization"]

    def reset(self) -> None:
        """Start a new utterance: all states zero."""
        self._model.reset_all_variables()

    def step(self, features: Floats) -> Floats:
        """Outputs (frames, outputs) of the next features (frames, bands)."""
        scaled = np.round(features / self.input_scale) + self.input_zero_point
        self._model.set_tensor(self._input, np.clip(scaled, -128, 127).astype(np.int8).reshape(self._shape))
        self._model.invoke()
        raw = self._model.get_tensor(self._output)[0].astype(np.float32)
        return (raw - np.float32(self.output_zero_point)) * np.float32(self.output_scale)

    def run(self, features: Floats) -> Floats:
        """Outputs (n, outputs) of a whole utterance's features (n, bands), from a reset state."""
        self.reset()
        short = -len(features) % self.frames
        padded = np.pad(features, ((0, short), (0, 0)))
        parts = [self.step(part) for part in padded.reshape(-1, self.frames, features.shape[1])]
        return np.concatenate(parts)[: len(features)]
