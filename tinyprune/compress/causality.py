"""Requirements of a network that runs frame by frame.

Along axis 1 its layers look at the present, and at the past that causal padding gives them.
"""

from typing import Any

from tinyprune.compress.kinds.lookup import layer_kind
from tinyprune.errors import UsageError


def require_causal(layer: Any, node: Any) -> None:
    """Raise UsageError unless a layer works frame by frame or looks back by causal padding.

    Users' own layers are taken to: what they compute is seen when the int8 graph is scored.
    """
    shape = node.input_tensors[0].shape
    output_shape = node.outputs[0].shape
    ranks = {len(tensor.shape) for tensor in node.input_tensors}
    if len(ranks) > 1 or min(len(shape), len(output_shape)) < 3:
        reason = "does not keep an axis of time for all of its inputs"
    elif getattr(layer, "data_format", "channels_last") != "channels_last":
        reason = "has its channels on the axis of time"
    else:
        reason = layer_kind(layer).frame_problem(layer, shape, output_shape)
    if reason:
        raise _cannot(layer, reason)


def require_frames(layer: Any, frames: list[int]) -> None:
    """Raise UsageError unless a layer's inputs have the frames that the present one needs."""
    kind = layer_kind(layer)
    window = frames[0]
    reach = kind.reach(layer)
    look_back = kind.look_back(layer)
    if len(set(frames)) > 1:
        raise _cannot(layer, f"joins windows of {min(frames)} and {max(frames)} frames")
    if window > 1 and (look_back or kind.needs_one_frame):
        raise _cannot(
            layer,
            f"is given a window of {window} frames: only convolutions and pooling use up padding",
        )
    if window + look_back <= reach:
        raise _cannot(layer, f"sees {reach} past frames, which no causal padding before it gives")


def look_back(operation: Any) -> int:
    """Return how many past frames a layer puts before the present one."""
    return layer_kind(operation).look_back(operation)


def _cannot(layer: Any, reason: str) -> UsageError:
    return UsageError(
        f"layer '{layer.name}' ({type(layer).__name__}) cannot run frame by frame: it {reason}; "
        "use causal padding in time, ZeroPadding2D(((k - 1, 0), ...)), with 'valid' convolutions"
    )
