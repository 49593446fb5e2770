"""Activation functions in the form that int8 TFLite has: an operator, or several."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.kinds.composed import COMPOSITIONS, ComposedFunction
from tinyprune.compress.kinds.lookup import kernel_kind
from tinyprune.compress.parts import Chain, Parts, Single

#: Class of an operation of Keras -> its function, and the attribute that is its setting.
_OPERATIONS: Mapping[str, tuple[str, str]] = {
    "Elu": ("elu", "alpha"),
    "Celu": ("celu", "alpha"),
    "Selu": ("selu", ""),
    "Softplus": ("softplus", ""),
    "LogSigmoid": ("log_sigmoid", ""),
    "Softsign": ("softsign", ""),
    "TanhShrink": ("tanh_shrink", ""),
    "SoftShrink": ("soft_shrink", "threshold"),
}
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)


def with_function_apart(operation: Any, name: str, parts_of: Callable[[Any, str], Parts]) -> Parts:
    """Return the parts of a layer or operation whose function may have no operator in TFLite.

    Args:
        operation: an activation, a layer that may end in one, or anything else.
        name: of its parts.
        parts_of: returns the parts of what is left of it without such a function.
    """
    alone = _function_alone(operation, name)
    if alone is not None:
        return Single(alone)
    inside = _function_inside(operation, f"{name}_function")
    if inside is None:
        return parts_of(operation, name)
    linear = graph.copy(operation, activation="linear")
    return Chain([parts_of(linear, name), Single(inside)])


def _function_alone(operation: Any, name: str) -> keras.Layer | None:
    """A layer for an activation that has to be composed; None for what stays as it is."""
    if isinstance(operation, layers.Activation):
        return _layer(activation_name(operation.activation), None, name)
    if isinstance(operation, layers.ELU):
        return _layer("elu", operation.alpha, name)
    of_keras = type(operation).__module__.startswith("keras.src.")
    if isinstance(operation, keras.Layer) or not of_keras:
        return None
    return _of_operation(operation, name)


def _of_operation(operation: Any, name: str) -> keras.Layer | None:
    """A layer for an operation of Keras that is an activation; None for what stays."""
    kind = type(operation).__name__
    if kind == "Negative":  # NEG has no int8 form
        return layers.Rescaling(-1.0, name=name)
    if kind not in _OPERATIONS:
        return None
    function, attribute = _OPERATIONS[kind]
    setting = getattr(operation, attribute) if attribute else None
    return _layer(function, setting, name) or layers.Activation(function, name=name)


def _function_inside(operation: Any, name: str) -> keras.Layer | None:
    """A layer for the activation at the end of a layer with a kernel; None for what stays."""
    kind = kernel_kind(operation)
    ends_in_one = kind is not None and kind.takes_in_followers
    if not (ends_in_one or isinstance(operation, _SEPARABLE)):
        return None
    function = operation.activation
    if isinstance(function, keras.Layer):
        return _function_alone(function, name)
    return _layer(activation_name(function), None, name)


def _layer(function: str, setting: float | None, name: str) -> keras.Layer | None:
    """The layer of a function; None for one that TFLite has an operator for."""
    if function not in COMPOSITIONS:
        return None
    composed = ComposedFunction(function, setting, name=name)
    if function in ("elu", "celu") and composed.setting == 1:
        return None if function == "elu" else layers.Activation("elu", name=name)
    return composed
