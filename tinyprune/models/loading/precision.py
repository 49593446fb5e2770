"""Networks of half or mixed precision, brought to float32, which every processor trains fast."""

from collections.abc import Mapping
from typing import Any

import keras

from tinyprune.errors import UsageError
from tinyprune.models.loading.own import first_line

_FLOAT32 = "float32"
#: Policies of Keras whose layers compute in another precision than float32.
_OTHERS = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
_BYTES = "uint8"  # of inputs that hold pixels


def in_float32(model: keras.Model, source: str, objects: Mapping[str, Any]) -> keras.Model:
    """Return a model whose layers all compute in float32; one that does already as it is.

    Inputs of bytes become float32 too. Weights and names stay. In float16, small gradients vanish
    without a scaling of the loss, and a CPU computes it slowly.

    Args:
        model: functional or Sequential.
        source: of the model, for messages.
        objects: custom layers and functions by name.

    Raises UsageError where Keras cannot make the model again.
    """
    names = {layer.dtype_policy.name for layer in model._flatten_layers()}
    names |= {tensor.dtype for tensor in model.inputs}
    if names.isdisjoint([*_OTHERS, _BYTES]):
        return model
    config = keras.tree.map_structure(_replaced, model.get_config())
    try:
        copy = type(model).from_config(config, custom_objects=dict(objects))
        copy.set_weights([variable.numpy() for variable in model.weights])
    except Exception as error:  # whatever Keras raises
        raise UsageError(
            f"{source} is of mixed precision and cannot be brought to float32 "
            f"({first_line(error)}): build it under the policy float32"
        ) from error
    return copy


def _replaced(value: Any) -> Any:
    """Return a value of a configuration; another precision is replaced by float32."""
    return _FLOAT32 if value in (*_OTHERS, _BYTES) else value
