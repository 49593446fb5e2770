"""Running int8 networks: ``ai-edge-litert``, or ``tflite-runtime`` where only that is installed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.errors import TinypruneError

Floats = npt.NDArray[np.float32]
Details = dict[str, dict[str, Any]]

#: In the signature of a one-frame graph: how the inputs that carry the past are called, and the outputs that renew it.
CONTEXT, NEW_CONTEXT = "context_", "new_context_"


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise TinypruneError("no int8 interpreter is installed: pip install ai-edge-litert") from error
    return Interpreter


def signature_details(path: Path) -> tuple[Details, Details]:
    """Inputs and outputs of a flatbuffer by the names of its signature, each with "name", "index", "quantization"."""
    return _signature(_interpreter_class()(model_path=str(path)))


def _signature(interpreter: Any) -> tuple[Details, Details]:
    runner = interpreter.get_signature_runner()
    return runner.get_input_details(), runner.get_output_details()


class Int8Model:
    """An int8 network that keeps its state between calls, as a device runs it.

    Where the past goes in and comes out of every call, the bytes of each new context are copied to its input.

    Attributes:
        frames: time steps of one call, where inputs are sequences (frames, bands).
        input_scale, input_zero_point, output_scale, output_zero_point: float = scale * (int8 - zero_point).
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = _interpreter_class()(model_path=str(path), num_threads=threads)
        self._model.allocate_tensors()
        given, made, self._contexts = _connections(self._model)
        self._input, self._output = given["index"], made["index"]
        self._shape = tuple(int(size) for size in given["shape"])
        self._is_sequence = len(self._shape) == 3 and len(made["shape"]) == 3
        self.frames = self._shape[1] if self._is_sequence else 1
        self.input_scale, self.input_zero_point = given["quantization"]
        self.output_scale, self.output_zero_point = made["quantization"]
        self.reset()

    def reset(self) -> None:
        """Start a new utterance: all states zero."""
        self._model.reset_all_variables()
        for old, _ in self._contexts:
            self._model.set_tensor(old["index"], np.full(old["shape"], old["quantization"][1], np.int8))

    def step(self, features: Floats) -> Floats:
        """Outputs (frames, outputs) of the next features (frames, bands); or of one input, without the batch axis."""
        scaled = np.round(features / self.input_scale) + self.input_zero_point
        self._model.set_tensor(self._input, np.clip(scaled, -128, 127).astype(np.int8).reshape(self._shape))
        self._model.invoke()
        raw = self._model.get_tensor(self._output)[0].astype(np.float32)
        for old, new in self._contexts:
            self._model.set_tensor(old["index"], self._model.get_tensor(new["index"]))
        return (raw - np.float32(self.output_zero_point)) * np.float32(self.output_scale)

    def run(self, features: Floats) -> Floats:
        """Outputs (n, outputs) of a whole utterance's features (n, bands), from a reset state.

        Of a network without a time axis: outputs (...) of one input (...).
        """
        self.reset()
        if not self._is_sequence:
            return self.step(features)
        short = -len(features) % self.frames
        padded = np.pad(features, ((0, short), (0, 0)))
        parts = [self.step(part) for part in padded.reshape(-1, self.frames, features.shape[1])]
        return np.concatenate(parts)[: len(features)]


def _connections(interpreter: Any) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """The input and the output of a network, and the (input, output) of each context."""
    given, made = interpreter.get_input_details(), interpreter.get_output_details()
    if len(given) == len(made) == 1:
        return given[0], made[0], []
    inputs, outputs = _signature(interpreter)
    names = [name.removeprefix(CONTEXT) for name in inputs if name.startswith(CONTEXT)]
    contexts = [(inputs.pop(f"{CONTEXT}{name}"), outputs.pop(f"{NEW_CONTEXT}{name}")) for name in names]
    (only_input,), (only_output,) = inputs.values(), outputs.values()
    return only_input, only_output, contexts
