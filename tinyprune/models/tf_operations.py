"""TensorFlow operations inside a Keras 2 model (``tf.nn.relu6(x)``, ``x + y``) as the Keras layers that do the same.

Keras 2 keeps such a call as a ``TFOpLambda`` layer that names the function and its arguments; Keras
3 has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyprune.errors import UsageError

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
        """The first argument and ``y``; raises UsageError if one is a number."""
        found = [*self.first, *([self.arguments["y"]] if "y" in self.arguments else [])]
        return found if all(is_reference(each) for each in found) else self.refuse()

    def refuse(self) -> Any:
        """Raises UsageError: there is no layer for this call."""
        named = ", ".join(
            f"{name}={value}" for name, value in self.arguments.items() if not is_reference(value)
        )
        with_ = f" with {named}" if named else ""
        raise UsageError(
            f"tf.{self.function}{with_} of Keras 2 has no layer in Keras 3: use a layer of Keras in its place and save "
            "the model again"
        )


#: Class name and configuration of a layer, and the tensors that go in.
Layer = tuple[str, dict[str, Any], list[Reference]]


def is_reference(value: Any) -> bool:
    """Whether a value in a configuration stands for a tensor."""
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def as_layer(layer: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the layer that does what a ``TFOpLambda`` does. Raises UsageError where there is none."""
    call = _call(layer)
    rule = _RULES.get(call.function)
    kind, config, tensors = rule(call) if rule else call.refuse()
    name = layer["name"]
    nodes = [[[*tensor, {}] for tensor in tensors]]
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": nodes,
    }


def _call(layer: dict[str, Any]) -> Call:
    function, nodes = layer["config"].get("function", layer["class_name"]), layer["inbound_nodes"]
    if len(nodes) != 1:
        raise UsageError(
            f"layer '{layer['name']}' (tf.{function}) is used more than once: use a layer of Keras"
        )
    tensors = [nodes[0]] if isinstance(nodes[0][0], str) else nodes[0]
    first = [tensor[2] if tensor[0] == _CONSTANT else tensor[:3] for tensor in tensors]
    given = tensors[0][3] if len(tensors[0]) > 3 else {}
    return Call(
        function,
        first,
        {key: value for key, value in given.items() if value is not None and key != "name"},
    )


def _activation(
    kind: str, *, rename: dict[str, str] | None = None, **config: Any
) -> Callable[[Call], Layer]:
    """A layer of one input; ``rename``: the function's arguments -> the layer's."""

    def rule(call: Call) -> Layer:
        names = rename or {}
        if len(call.first) != 1 or set(call.arguments) - set(names):
            call.refuse()
        return (
            kind,
            config | {names[key]: value for key, value in call.arguments.items()},
            call.tensors(),
        )

    return rule


#: The number beside a tensor -> scale and offset of the layer that computes the same.
Scaling = Callable[[float], tuple[float, float]]


def _binary(kind: str, scaled: Scaling, swapped: Scaling | None) -> Callable[[Call], Layer]:
    """``x ? y``: a merging layer for two tensors, Rescaling for a tensor and a number (``swapped``: number first)."""

    def rescaling(scaling: Scaling, number: float, tensor: Reference) -> Layer:
        scale, offset = scaling(number)
        return "Rescaling", {"scale": scale, "offset": offset}, [tensor]

    def rule(call: Call) -> Layer:
        if set(call.arguments) != {"y"} or len(call.first) != 1:
            call.refuse()
        x, y = call.first[0], call.arguments["y"]
        if is_reference(x) and is_reference(y) and kind:
            return kind, {}, [x, y]
        if is_reference(x) and isinstance(y, int | float) and y != 0:
            return rescaling(scaled, y, x)
        if is_reference(y) and isinstance(x, int | float) and swapped:
            return rescaling(swapped, x, y)
        return call.refuse()

    return rule


def _concatenate(call: Call) -> Layer:
    if set(call.arguments) != {"axis"}:
        call.refuse()
    return "Concatenate", {"axis": call.arguments["axis"]}, call.tensors()


def _reshape(call: Call) -> Layer:
    shape = call.arguments.get("shape", [])
    if (
        set(call.arguments) != {"shape"}
        or not all(isinstance(size, int) for size in shape)
        or shape[0] != -1
    ):
        call.refuse()
    return "Reshape", {"target_shape": shape[1:]}, call.tensors()


def _pool(kind: str) -> Callable[[Call], Layer]:
    """A mean or a maximum over the spatial axes."""

    def rule(call: Call) -> Layer:
        axis = call.arguments.get("axis")
        axes = sorted(axis) if isinstance(axis, list) else [axis]
        if set(call.arguments) - {"axis", "keepdims"} or axes not in ([1], [1, 2]):
            call.refuse()
        return (
            f"{kind}{len(axes)}D",
            {"keepdims": bool(call.arguments.get("keepdims"))},
            call.tensors(),
        )

    return rule


def _pad(call: Call) -> Layer:
    padding = call.arguments.get("paddings", [])
    zeros = call.arguments.get("mode", "CONSTANT") == "CONSTANT" and not call.arguments.get(
        "constant_values"
    )
    if not zeros or len(padding) != 4 or any(padding[0]) or any(padding[3]):
        call.refuse()
    return "ZeroPadding2D", {"padding": padding[1:3]}, call.tensors()


def _clip(call: Call) -> Layer:
    low, high = (call.arguments.get(f"clip_value_{end}") for end in ("min", "max"))
    if low != 0 or not isinstance(high, int | float):
        return call.refuse()
    return "ReLU", {"max_value": float(high)}, call.tensors()


_add = _binary("Add", lambda c: (1.0, c), lambda c: (1.0, c))
_subtract = _binary("Subtract", lambda c: (1.0, -c), lambda c: (-1.0, c))
_multiply = _binary("Multiply", lambda c: (c, 0.0), lambda c: (c, 0.0))
_divide = _binary("", lambda c: (1 / c, 0.0), None)
_softmax, _relu = _activation("Softmax", rename={"axis": "axis"}), _activation("ReLU")

_RULES: dict[str, Callable[[Call], Layer]] = {
    "nn.relu": _relu,
    "nn.relu6": _activation("ReLU", max_value=6.0),
    "nn.leaky_relu": _activation(
        "LeakyReLU", negative_slope=0.2, rename={"alpha": "negative_slope"}
    ),
    "nn.softmax": _softmax,
    "compat.v1.nn.softmax": _softmax,
    **{
        f"{module}.{name}": _activation("Activation", activation={"swish": "silu"}.get(name, name))
        for module in ("nn", "math")
        for name in (
            "sigmoid",
            "tanh",
            "elu",
            "selu",
            "silu",
            "swish",
            "softplus",
            "softsign",
            "exp",
        )
    },
    "identity": _activation("Activation", activation="linear"),
    "__operators__.add": _add,
    "math.add": _add,
    "math.subtract": _subtract,
    "math.multiply": _multiply,
    "math.divide": _divide,
    "math.truediv": _divide,
    "concat": _concatenate,
    "reshape": _reshape,
    "math.reduce_mean": _pool("GlobalAveragePooling"),
    "math.reduce_max": _pool("GlobalMaxPooling"),
    "compat.v1.pad": _pad,
    "pad": _pad,
    "clip_by_value": _clip,
}
