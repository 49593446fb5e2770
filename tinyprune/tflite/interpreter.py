"""Running int8 networks: ``ai-edge-litert``, or ``tflite-runtime`` where only that is installed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.named_arrays import joined, split
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import Engine
from tinyprune.tflite.graph import Tensor
from tinyprune.tflite.separate import SeparateInterpreter

Details = dict[str, dict[str, Any]]

#: In the signature of a one-frame graph: how the inputs that carry the past are called, and the
#: outputs that renew it.
CONTEXT, NEW_CONTEXT = "context_", "new_context_"


def interpreter_class() -> Any:
    """Return the class of the interpreter that is installed. Raises TinypruneError for none."""
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
    return _signature(interpreter_class()(model_path=str(path)))


def _signature(interpreter: Any) -> tuple[Details, Details]:
    runner = interpreter.get_signature_runner()
    return runner.get_input_details(), runner.get_output_details()


class Int8Model:
    """An int8 network that keeps its state between calls, as a device runs it.

    Inputs and outputs may be int16 too, or float where the network quantizes and dequantizes them.

    Where the past goes in and comes out of every call, the bytes of each new context are copied to
    its input. Several inputs, or outputs, go by the names of the file's signature, without one by
    those of its tensors: as arrays with names (:mod:`tinyprune.named_arrays`).

    Attributes:
        inputs, outputs: its ends, without those of the past.
        frames: time steps of one call, where inputs are sequences (frames, bands).
        input_shape, output_shape: of one call, with the batch axis, which is 1; of the first one.
        input_scale, input_zero_point, output_scale, output_zero_point: float = scale * (integer -
            zero_point), of float ends those of the integers behind them; of the first one.

    Raises UsageError for a file that is missing, no TFLite, or not quantized; TinypruneError, here
    and in a call, where the interpreter cannot run it.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        engine: Engine | None = None,
        is_foreign: bool = False,
    ) -> None:
        """Load a file.

        Args:
            path: of the file.
            threads: that compute.
            engine: what computes, instead of the interpreter; it has the file loaded.
            is_foreign: whether the file comes from elsewhere and runs in a process of its own,
                which it may crash.
        """
        self._path = path
        with _one_line(path):
            made_by = SeparateInterpreter if is_foreign else interpreter_class()
            self._model: Any = made_by(model_path=str(path), num_threads=threads)
            self._model.allocate_tensors()
            if engine is not None:
                self._model = _Ends(self._model, engine)
            given, made, self._contexts = _connections(self._model)
        self.inputs, self.outputs = _ends(path, given, made)
        self.input_shape, self.output_shape = self.inputs[0].shape, self.outputs[0].shape
        is_plain = len(self.inputs) == len(self.outputs) == 1
        self._is_sequence = is_plain and len(self.input_shape) == len(self.output_shape) == 3
        self.frames = self.input_shape[1] if self._is_sequence else 1
        self.input_scale, self.input_zero_point = self.inputs[0].quantization
        self.output_scale, self.output_zero_point = self.outputs[0].quantization
        self.reset()

    @property
    def is_sequence(self) -> bool:
        """True where inputs are sequences (frames, bands)."""
        return self._is_sequence

    @property
    def input_range(self) -> tuple[float, float]:
        """The smallest and the largest number that the first input can hold."""
        return self.inputs[0].range

    def reset(self) -> None:
        """Start a new utterance: all states zero."""
        with _one_line(self._path):
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
            named = split(features)
            for end in self.inputs:
                self._model.set_tensor(end.index, end.given(named.get(end.name, features)))
            self._model.invoke()
            made = {end.name: end.made(self._model.get_tensor(end.index)) for end in self.outputs}
            for old, new in self._contexts:
                self._model.set_tensor(old["index"], self._model.get_tensor(new["index"]))
        if len(made) > 1:
            whole: np.ndarray = joined(made).reshape(())
            return whole
        return made[self.outputs[0].name][0]

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


class _Ends:
    """An interpreter of which only the inputs and outputs are used: an engine computes."""

    def __init__(self, interpreter: Any, engine: Engine) -> None:
        self._interpreter = interpreter
        self._engine = engine
        self._inputs = [detail["index"] for detail in interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]
        self._made: dict[int, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)

    def invoke(self) -> None:
        """Compute the outputs."""
        given = [self._interpreter.get_tensor(index) for index in self._inputs]
        self._made = dict(zip(self._outputs, self._engine.invoke(given), strict=True))

    def get_tensor(self, index: int) -> np.ndarray:
        """Return an output."""
        return self._made[index]

    def reset_all_variables(self) -> None:
        """Forget all state."""
        self._engine.reset()


def _connections(interpreter: Any) -> tuple[Details, Details, list[tuple[Any, Any]]]:
    """Inputs and outputs of a network by name, and the (input, output) of each context."""
    given = interpreter.get_input_details()
    made = interpreter.get_output_details()
    if len(given) == len(made) == 1:
        return _by_tensor(given), _by_tensor(made), []
    if not interpreter.get_signature_list():
        return _by_tensor(given), _by_tensor(made), []
    inputs, outputs = _signature(interpreter)
    names = [name.removeprefix(CONTEXT) for name in inputs if name.startswith(CONTEXT)]
    contexts = []
    for name in names:
        contexts.append((inputs.pop(f"{CONTEXT}{name}"), outputs.pop(f"{NEW_CONTEXT}{name}")))
    return inputs, outputs, contexts


def _by_tensor(details: Any) -> dict[str, Any]:
    """Return ends by the names of their tensors."""
    return {detail["name"]: detail for detail in details}


@dataclass(frozen=True)
class End:
    """An input or an output of a network.

    Attributes:
        name: in the signature of the file, else that of its tensor.
        tensor: name of its tensor.
        index: of the interpreter's tensor.
        shape: with the batch axis, which is 1.
        is_float: whether it is float.
        integers: type of the integers, those behind it where it is float.
        quantization: scale and zero point of the integers.
    """

    name: str
    tensor: str
    index: int
    shape: tuple[int, ...]
    is_float: bool
    integers: str
    quantization: tuple[float, int]

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number that it can hold."""
        scale, zero_point = self.quantization
        limits = np.iinfo(self.integers)
        return scale * (limits.min - zero_point), scale * (limits.max - zero_point)

    def given(self, features: np.ndarray) -> np.ndarray:
        """Return features as this input takes them: as integers, unless it is float."""
        values = features
        if not self.is_float:
            scale, zero_point = self.quantization
            limits = np.iinfo(self.integers)
            values = np.clip(np.round(features / scale) + zero_point, limits.min, limits.max)
        dtype = np.float32 if self.is_float else np.dtype(self.integers)
        return values.astype(dtype).reshape(self.shape)

    def made(self, raw: np.ndarray) -> Float32Array:
        """Return what this output holds, as floats of its shape."""
        values: Float32Array = raw.astype(np.float32)
        if self.is_float:
            return values
        scale, zero_point = self.quantization
        return (values - np.float32(zero_point)) * np.float32(scale)


def _ends(path: Path, given: Details, made: Details) -> tuple[list[End], list[End]]:
    """Inputs and outputs of a network. Raises UsageError for one that computes on floats."""
    dtypes = [detail["dtype"] for detail in (*given.values(), *made.values())]
    behind = dict[str, Tensor]()
    if not all(np.issubdtype(dtype, np.integer) for dtype in dtypes):
        behind = _behind_floats(path)
    inputs = [_end(name, detail, behind) for name, detail in given.items()]
    return inputs, [_end(name, detail, behind) for name, detail in made.items()]


def _behind_floats(path: Path) -> dict[str, Tensor]:
    """Return the integers of float ends, by the names of these; UsageError where there are none."""
    graph = flatbuffer.read(path)
    flatbuffer.require_int8(path, graph)
    behind = dict[str, Tensor]()
    for operator in graph.conversions:
        [inside], [outside] = operator.given_inputs, operator.outputs
        behind[outside.name] = inside
        behind[inside.name] = outside
    return behind


def _end(name: str, detail: Any, behind: Mapping[str, Tensor]) -> End:
    """The end that the interpreter describes; ``behind``: the integers of float ones, by name."""
    is_float = not np.issubdtype(detail["dtype"], np.integer)
    integers = np.dtype(detail["dtype"]).name
    quantization = detail["quantization"]
    if is_float:
        tensor = behind[detail["name"]]
        integers = tensor.dtype
        quantization = float(tensor.scale[0]), tensor.integer_of_zero
    shape = tuple(map(int, detail["shape"]))
    return End(name, detail["name"], detail["index"], shape, is_float, integers, quantization)


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
