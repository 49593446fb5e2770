"""TensorFlow operations inside a Keras 2 model as the Keras layers that do the same.

Keras 2 keeps a call such as ``tf.nn.relu6(x)`` or ``x + y`` as a ``TFOpLambda`` layer that names
the function and its arguments; Keras 3 has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyprune.errors import UsageError

#: Classes of layers that stand for an operation.
KINDS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
#: A tensor in a Keras 2 configuration: layer name, node index, tensor index.
Reference = list[Any]
_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Call:
    """One call of a TensorFlow function.

    Attributes:
        function: its name, e.g. "nn.relu6".
        first: the first argument: tensors, or one number.
        arguments: the others by name, without those that are None.
    """

    function: str
    first: list[Any]
    arguments: dict[str, Any]

    def tensors(self) -> list[Reference]:
        """The first argument and ``y``. Raises UsageError if one is a number."""
        tensors = list(self.first)
        if "y" in self.arguments:
            tensors.append(self.arguments["y"])
        if not all(map(is_reference, tensors)):
            raise self.refusal()
        return tensors

    def check_arguments(self, names: set[str]) -> None:
        """Raise UsageError unless these are the names of the arguments after the first."""
        if set(self.arguments) != names:
            raise self.refusal()

    def refusal(self) -> UsageError:
        """The error of a call for which there is no layer."""
        settings = []
        for name, value in self.arguments.items():
            if not is_reference(value):
                settings.append(f"{name}={value}")
        used = f" with {', '.join(settings)}" if settings else ""
        return UsageError(
            f"tf.{self.function}{used} of Keras 2 has no layer in Keras 3: "
            "use a layer of Keras in its place and save the model again"
        )


@dataclass(frozen=True)
class Layer:
    """A Keras layer that does what a call does.

    Attributes:
        kind: its class name. config: its configuration, without its name.
        inputs: the tensors that go in.
    """

    kind: str
    config: dict[str, Any]
    inputs: list[Reference]


Rule = Callable[[Call], Layer]


def is_reference(value: Any) -> bool:
    """Return whether a value in a configuration stands for a tensor."""
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def check(table: dict[str, Any]) -> None:
    """Raise UsageError unless there is a layer for the operation of a configuration."""
    settings = table.get("config")
    function = settings.get("function") if isinstance(settings, dict) else None
    call = Call(str(function or table["class_name"]), [], {})
    if call.function not in _RULES:
        raise call.refusal()


def as_layer(layer: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the layer that does what a ``TFOpLambda`` does.

    Raises UsageError where there is none.
    """
    call = _call(layer)
    rule = _RULES.get(call.function)
    if rule is None:
        raise call.refusal()
    replacement = rule(call)
    name = layer["name"]
    return {
        "class_name": replacement.kind,
        "name": name,
        "config": {"name": name, **replacement.config},
        "inbound_nodes": [[[*tensor, {}] for tensor in replacement.inputs]],
    }


def _call(layer: dict[str, Any]) -> Call:
    function = layer["config"].get("function", layer["class_name"])
    nodes = layer["inbound_nodes"]
    if len(nodes) != 1:
        raise UsageError(
            f"layer '{layer['name']}' (tf.{function}) is used more than once: use a layer of Keras"
        )
    is_one_tensor = isinstance(nodes[0][0], str)
    tensors = [nodes[0]] if is_one_tensor else nodes[0]
    first = [_value(tensor) for tensor in tensors]
    return Call(function, first, _keywords(tensors[0]))


def _value(tensor: list[Any]) -> Any:
    """A reference to a tensor, or the number in the place of one."""
    if tensor[0] == _CONSTANT:
        return tensor[2]
    return tensor[:3]


def _keywords(tensor: list[Any]) -> dict[str, Any]:
    """The arguments by name, which Keras 2 keeps behind the first tensor."""
    if len(tensor) < 4:
        return {}
    arguments = {}
    for name, value in tensor[3].items():
        if value is not None and name != "name":
            arguments[name] = value
    return arguments


@dataclass(frozen=True)
class _Activation:
    """A function of one tensor.

    Attributes:
        kind: class name of the layer. config: its configuration.
        renamed: arguments that the function may have -> what the layer calls them.
    """

    kind: str
    config: dict[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, call: Call) -> Layer:
        config = dict(self.config)
        for name, value in call.arguments.items():
            if name not in self.renamed:
                raise call.refusal()
            config[self.renamed[name]] = value
        if len(call.first) != 1:
            raise call.refusal()
        return Layer(self.kind, config, call.tensors())


#: The number beside a tensor -> scale and offset of the layer that computes the same.
Scaling = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class _Binary:
    """``x ? y``: a merging layer for two tensors, Rescaling for a tensor and a number.

    Attributes:
        kind: class name of the merging layer; empty where there is none.
        number_second: Rescaling of ``x ? number``.
        number_first: Rescaling of ``number ? y``; None where there is none.
    """

    kind: str
    number_second: Scaling
    number_first: Scaling | None

    def __call__(self, call: Call) -> Layer:
        call.check_arguments({"y"})
        if len(call.first) != 1:
            raise call.refusal()
        x = call.first[0]
        y = call.arguments["y"]
        match _operand(x), _operand(y):
            case "tensor", "tensor" if self.kind:
                return Layer(self.kind, {}, [x, y])
            case "tensor", "number" if y != 0:
                return _rescaling(x, self.number_second(y))
            case "number", "tensor" if self.number_first is not None:
                return _rescaling(y, self.number_first(x))
        raise call.refusal()


@dataclass(frozen=True)
class _Pool:
    """A mean or a maximum over the spatial axes; ``kind`` is the class name without "1D"."""

    kind: str

    def __call__(self, call: Call) -> Layer:
        axis = call.arguments.get("axis")
        axes = sorted(axis) if isinstance(axis, list) else [axis]
        others = set(call.arguments) - {"axis", "keepdims"}
        if others or axes not in ([1], [1, 2]):
            raise call.refusal()
        keepdims = bool(call.arguments.get("keepdims"))
        return Layer(f"{self.kind}{len(axes)}D", {"keepdims": keepdims}, call.tensors())


def _operand(value: Any) -> str:
    """The kind of an argument: "tensor", "number" or "other"."""
    if is_reference(value):
        return "tensor"
    return "number" if _is_number(value) else "other"


def _rescaling(tensor: Reference, scaling: tuple[float, float]) -> Layer:
    scale, offset = scaling
    return Layer("Rescaling", {"scale": scale, "offset": offset}, [tensor])


def _concatenate(call: Call) -> Layer:
    call.check_arguments({"axis"})
    return Layer("Concatenate", {"axis": call.arguments["axis"]}, call.tensors())


def _reshape(call: Call) -> Layer:
    call.check_arguments({"shape"})
    batch, *sizes = call.arguments["shape"]
    is_known = all(isinstance(size, int) for size in sizes)
    if batch != -1 or not is_known:
        raise call.refusal()
    return Layer("Reshape", {"target_shape": sizes}, call.tensors())


def _pad(call: Call) -> Layer:
    padding = call.arguments.get("paddings", [])
    has_zeros = (
        call.arguments.get("mode", "CONSTANT") == "CONSTANT"
        and not call.arguments.get("constant_values")  # the default, 0
    )
    is_spatial = len(padding) == 4 and not any(padding[0]) and not any(padding[3])
    if not has_zeros or not is_spatial:
        raise call.refusal()
    return Layer("ZeroPadding2D", {"padding": padding[1:3]}, call.tensors())


def _clip(call: Call) -> Layer:
    low = call.arguments.get("clip_value_min")
    high = call.arguments.get("clip_value_max")
    if low != 0 or high is None or not _is_number(high):
        raise call.refusal()
    return Layer("ReLU", {"max_value": float(high)}, call.tensors())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


_ADD = _Binary("Add", lambda number: (1.0, number), lambda number: (1.0, number))
_SUBTRACT = _Binary("Subtract", lambda number: (1.0, -number), lambda number: (-1.0, number))
_MULTIPLY = _Binary("Multiply", lambda number: (number, 0.0), lambda number: (number, 0.0))
_DIVIDE = _Binary("", lambda number: (1 / number, 0.0), None)
_SOFTMAX = _Activation("Softmax", renamed={"axis": "axis"})
_SLOPE = {"alpha": "negative_slope"}

_RULES: dict[str, Rule] = {
    "nn.relu": _Activation("ReLU"),
    "nn.relu6": _Activation("ReLU", {"max_value": 6.0}),
    "nn.leaky_relu": _Activation("LeakyReLU", {"negative_slope": 0.2}, _SLOPE),
    "nn.softmax": _SOFTMAX,
    "compat.v1.nn.softmax": _SOFTMAX,
    "identity": _Activation("Activation", {"activation": "linear"}),
    "__operators__.add": _ADD,
    "math.add": _ADD,
    "math.subtract": _SUBTRACT,
    "math.multiply": _MULTIPLY,
    "math.divide": _DIVIDE,
    "math.truediv": _DIVIDE,
    "concat": _concatenate,
    "reshape": _reshape,
    "math.reduce_mean": _Pool("GlobalAveragePooling"),
    "math.reduce_max": _Pool("GlobalMaxPooling"),
    "compat.v1.pad": _pad,
    "pad": _pad,
    "clip_by_value": _clip,
}
#: Functions of ``tf.nn`` and ``tf.math`` -> the activation of Keras.
_ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "elu": "elu",
    "selu": "selu",
    "silu": "silu",
    "swish": "silu",
    "softplus": "softplus",
    "softsign": "softsign",
    "exp": "exp",
}
for _function, _activation in _ACTIVATIONS.items():
    _RULES[f"nn.{_function}"] = _Activation("Activation", {"activation": _activation})
    _RULES[f"math.{_function}"] = _Activation("Activation", {"activation": _activation})
