"""Running int8 networks: ``ai-edge-litert``, or ``tflite-runtime`` where only that is installed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Tensor

Details = dict[str, dict[str, Any]]

#: In the signature of a one-frame graph: how the inputs that carry the past are called, and the
#: outputs that renew it.
CONTEXT, NEW_CONTEXT = "context_", "new_context_"


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise TinypruneError(
                "no int8 interpreter is installed: pip install ai-edge-litert"
            ) from error
    return Interpreter


def signature_details(path: Path) -> tuple[Details, Details]:
    """Return inputs and outputs of a flatbuffer by the names of its signature.

    Each has "name", "index" and "quantization".
    """
    return _signature(_interpreter_class()(model_path=str(path)))


def _signature(interpreter: Any) -> tuple[Details, Details]:
    runner = interpreter.get_signature_runner()
    return runner.get_input_details(), runner.get_output_details()


class Int8Model:
    """An int8 network that keeps its state between calls, as a device runs it.

    Inputs and outputs may be int16 too, or float where the network quantizes and dequantizes them.

    Where the past goes in and comes out of every call, the bytes of each new context are copied to
    its input.

    Attributes:
        frames: time steps of one call, where inputs are sequences (frames, bands).
        input_shape, output_shape: of one call, with the batch axis, which is 1.
        input_scale, input_zero_point, output_scale, output_zero_point: float = scale * (integer -
            zero_point), of float ends those of the integers behind them.

    Raises UsageError for a file that is missing, no TFLite, or not quantized; TinypruneError, here
    and in a call, where the interpreter cannot run it.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._path = path
        with _one_line(path):
            self._model = _interpreter_class()(model_path=str(path), num_threads=threads)
            self._model.allocate_tensors()
            given, made, self._contexts = _connections(self._model)
        self._input, self._output = _ends(path, given, made)
        self._dtype = np.iinfo(self._input.integers)
        self.input_shape, self.output_shape = (
            tuple(map(int, side["shape"])) for side in (given, made)
        )
        self._is_sequence = len(self.input_shape) == len(self.output_shape) == 3
        self.frames = self.input_shape[1] if self._is_sequence else 1
        self.input_scale, self.input_zero_point = self._input.quantization
        self.output_scale, self.output_zero_point = self._output.quantization
        self.reset()

    @property
    def is_sequence(self) -> bool:
        """True where inputs are sequences (frames, bands)."""
        return self._is_sequence

    @property
    def input_range(self) -> tuple[float, float]:
        """The smallest and the largest number that the input can hold."""
        lowest = self.input_scale * (self._dtype.min - self.input_zero_point)
        highest = self.input_scale * (self._dtype.max - self.input_zero_point)
        return lowest, highest

    def reset(self) -> None:
        """Start a new utterance: all states zero."""
        self._model.reset_all_variables()
        for old, _ in self._contexts:
            self._model.set_tensor(
                old["index"], np.full(old["shape"], old["quantization"][1], old["dtype"])
            )

    def step(self, features: Float32Array) -> Float32Array:
        """Return the outputs (frames, outputs) of the next features (frames, bands).

        Of a network without a time axis: outputs of one input, without the batch axis.
        """
        with _one_line(self._path):
            values = self._given(features).reshape(self.input_shape)
            self._model.set_tensor(self._input.index, values)
            self._model.invoke()
            raw = self._model.get_tensor(self._output.index)[0].astype(np.float32)
            for old, new in self._contexts:
                self._model.set_tensor(old["index"], self._model.get_tensor(new["index"]))
        if self._output.is_float:
            return raw
        return (raw - np.float32(self.output_zero_point)) * np.float32(self.output_scale)

    def _given(self, features: Float32Array) -> np.ndarray:
        """Return features as the input takes them: as integers, unless it is float."""
        if self._input.is_float:
            return features.astype(np.float32)
        scaled = np.round(features / self.input_scale) + self.input_zero_point
        return np.clip(scaled, self._dtype.min, self._dtype.max).astype(self._dtype.dtype)

    def run(self, features: Float32Array) -> Float32Array:
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
    given = interpreter.get_input_details()
    made = interpreter.get_output_details()
    if len(given) == len(made) == 1:
        return given[0], made[0], []
    inputs, outputs = _signature(interpreter)
    names = [name.removeprefix(CONTEXT) for name in inputs if name.startswith(CONTEXT)]
    contexts = [
        (inputs.pop(f"{CONTEXT}{name}"), outputs.pop(f"{NEW_CONTEXT}{name}")) for name in names
    ]
    if not len(inputs) == len(outputs) == 1:
        raise ValueError(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs, expected one of each"
        )
    (only_input,), (only_output,) = inputs.values(), outputs.values()
    return only_input, only_output, contexts


@dataclass(frozen=True)
class _End:
    """The input or the output of a network.

    Attributes:
        index: of the interpreter's tensor.
        is_float: whether it is float.
        integers: type of the integers, those behind it where it is float.
        quantization: scale and zero point of the integers.
    """

    index: int
    is_float: bool
    integers: str
    quantization: tuple[float, int]


def _ends(path: Path, given: Any, made: Any) -> tuple[_End, _End]:
    """The input and the output of a network. Raises UsageError for one that computes on floats."""
    dtypes = [given["dtype"], made["dtype"]]
    if all(np.issubdtype(dtype, np.integer) for dtype in dtypes):
        return _integers(given), _integers(made)
    graph = flatbuffer.read(path)
    flatbuffer.require_int8(path, graph)
    behind = dict[str, Tensor]()
    for operator in graph.conversions:
        [inside], [outside] = operator.given_inputs, operator.outputs
        behind[outside.name] = inside
        behind[inside.name] = outside
    return _end(given, behind), _end(made, behind)


def _end(detail: Any, behind: Mapping[str, Tensor]) -> _End:
    """The end that the interpreter describes; ``behind``: the integers of float ones, by name."""
    if np.issubdtype(detail["dtype"], np.integer):
        return _integers(detail)
    tensor = behind[detail["name"]]
    quantization = float(tensor.scale[0]), tensor.integer_of_zero
    return _End(detail["index"], True, tensor.dtype, quantization)


def _integers(detail: Any) -> _End:
    return _End(detail["index"], False, np.dtype(detail["dtype"]).name, detail["quantization"])


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Whatever the interpreter has to say about a file, as one line that names it."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if not path.is_file():
            raise UsageError(f"there is no file {path}: expected an int8 .tflite") from error
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        hint = ""
        if "ethos-u" in str(error):
            hint = "; give the .tflite that Vela compiled it from"
        raise TinypruneError(
            f"{path} cannot be run by the int8 interpreter: {said}{hint}"
        ) from error
