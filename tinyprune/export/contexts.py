"""Contexts of a one-frame graph in its flatbuffer: an input and an output of equal bytes each."""

from collections.abc import Sequence
from pathlib import Path

from tinyprune.artifacts.network import ContextState
from tinyprune.compress.streaming import Context
from tinyprune.errors import CheckFailed
from tinyprune.tflite.graph import Graph, Tensor
from tinyprune.tflite.interpreter import CONTEXT, NEW_CONTEXT, signature_details


def check_contexts(
    path: Path, graph: Graph, contexts: Sequence[Context]
) -> tuple[ContextState, ...]:
    """Return the states of a one-frame graph, in the order of its contexts.

    Args:
        path: of the flatbuffer (:func:`tinyprune.export.converter.one_frame_conversion`).
        graph: the network in it.
        contexts: of the model that it was made from.

    Raises:
        CheckFailed: a context is missing, has another shape, or its input and output differ in
            shape, type, scale or zero point.
    """
    if not contexts:
        return ()
    inputs = [tensor.name for tensor in graph.inputs]
    outputs = [tensor.name for tensor in graph.outputs]
    before, after = signature_details(path)
    states = []
    for number, context in enumerate(contexts, 1):
        old_name = f"{CONTEXT}{number}"
        new_name = f"{NEW_CONTEXT}{number}"
        if old_name not in before or new_name not in after:
            raise CheckFailed(
                f"{path}: context {number}, of layer '{context.name}', "
                "is no input and output of the graph"
            )
        input_position = inputs.index(before[old_name]["name"])
        output_position = outputs.index(after[new_name]["name"])
        old = graph.inputs[input_position]
        new = graph.outputs[output_position]
        if not _is_copied_as_bytes(context, old, new):
            raise CheckFailed(
                f"{path}: the context of layer '{context.name}' cannot be copied as bytes: "
                f"its input is {_description(old)}, its output {_description(new)}; "
                "calibrate on more frames"
            )
        state = ContextState(
            context.name,
            old.name,
            new.name,
            input_position,
            output_position,
            old.shape,
            float(old.scale[0]),
            int(old.zero_point[0]),
            old.dtype,
        )
        states.append(state)
    return tuple(states)


def _is_copied_as_bytes(context: Context, old: Tensor, new: Tensor) -> bool:
    return (
        old.dtype == new.dtype == context.dtype
        and old.shape == new.shape == context.shape
        and len(old.scale) == 1
        and old.scale.tolist() == new.scale.tolist()
        and old.zero_point.tolist() == new.zero_point.tolist()
    )


def _description(tensor: Tensor) -> str:
    scale = tensor.scale.tolist()
    zero_point = tensor.zero_point.tolist()
    return f"{tensor.dtype} {tensor.shape} scale {scale} zero point {zero_point}"
