"""The response of an int8 network: whether its outputs differ where its inputs do."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.named_arrays import joined
from tinyprune.tflite.interpreter import End, Int8Model

STEP = 1.001  # of the output's grid; a rounding is no difference
PROBES = 8
CALLS = 8  # of a network that takes a sequence, one probe


def is_constant(
    path: Path, inputs: Sequence[Float32Array] | None = None, is_foreign: bool = False
) -> bool:
    """Return whether an output of an int8 file is the same, within a step, for different inputs.

    Args:
        path: of the ``.tflite``.
        inputs: each as :meth:`Int8Model.run` takes it; None: made in the range of its input.
        is_foreign: whether it runs in a process of its own.

    Raises what Int8Model raises.
    """
    runner = Int8Model(path, is_foreign=is_foreign)
    given = made_inputs(runner) if inputs is None else inputs
    outputs = np.stack([runner.run(one) for one in given])
    pairs = zip(runner.outputs, _of_each(runner.outputs, outputs), strict=True)
    return any(
        np.ptp(values, axis=0).max() <= STEP * output.quantization[0] for output, values in pairs
    )


def _of_each(ends: Sequence[End], values: np.ndarray) -> list[np.ndarray]:
    """Return the arrays of ends, in their order."""
    return [values] if len(ends) == 1 else [values[end.name] for end in ends]


def has_lost_response(
    before: Path, after: Path, inputs: Sequence[Float32Array] | None = None
) -> bool:
    """Return whether a file gives one constant output, and the file that it was made of does not.

    Each runs in a process of its own. ``inputs``: as of :func:`is_constant`. Raises what Int8Model
    raises.
    """
    return is_constant(after, inputs, is_foreign=True) and not is_constant(
        before, inputs, is_foreign=True
    )


def made_inputs(runner: Int8Model, count: int = PROBES) -> list[Float32Array]:
    """Return inputs all over the range of a network: from dark to bright, from flat to noisy."""
    rng = np.random.default_rng(0)
    inputs = {}
    for end in runner.inputs:
        shape = end.shape[1:]
        if runner.is_sequence:
            shape = (CALLS * runner.frames, *shape[1:])
        inputs[end.name] = _levels(end, shape, count, rng)
    if len(inputs) > 1:
        return list(joined(inputs))
    return list(inputs[runner.inputs[0].name])


def _levels(end: End, shape: tuple[int, ...], count: int, rng: np.random.Generator) -> Float32Array:
    """Return values (count, *shape) of one input, each around another level of its range."""
    lowest, highest = end.range
    made = np.empty((count, *shape), np.float32)
    for number, level in enumerate(np.linspace(0.1, 0.9, count)):
        noise = rng.uniform(-0.5, 0.5, shape)
        values = np.clip(level + noise * rng.uniform(0.2, 1), 0, 1)
        made[number] = lowest + (highest - lowest) * values
    return made
