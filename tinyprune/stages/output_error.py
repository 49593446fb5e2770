"""The output error of a ``.tflite`` that was pruned without training, against the original file."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array, IntArray
from tinyprune.artifacts.output_error import OutputError
from tinyprune.data.arrays.meaning import is_one_hot
from tinyprune.data.arrays.reading import read_arrays
from tinyprune.data.class_numbers import checked_labels, numbered_labels
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.metrics.classification import accuracy, by_class
from tinyprune.named_arrays import each, has_names, parts, shapes, split, to_float32
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.interpreter import End, Int8Model
from tinyprune.tflite.response import made_inputs

log = logging.getLogger(__name__)
MOST_INPUTS = 512
NOISE_INPUTS = 64
SPLITS = ("test", "dev", "train")  # the first that a file has is run


@dataclass(frozen=True, eq=False)
class RepresentativeInputs:
    """Inputs that networks are compared on.

    Attributes:
        values: float32 (n, ...), as the network takes them.
        labels: number of the class of each, (n,); None: unknown.
        source: file that they come from; empty: noise.
    """

    values: Float32Array
    labels: IntArray | None = None
    source: str = ""


def representative_inputs(network: Path, data: Path | None) -> RepresentativeInputs | None:
    """Return inputs for a network, at most 512; None, with a warning, for one that cannot be run.

    Args:
        network: the ``.tflite``.
        data: an .npy of inputs (n, ...), or an .npz with ``x`` or ``x_test`` and maybe labels
            ``y``, as the network takes them; None: noise in the range of its input.

    Raises UsageError for data that do not fit the network, and for a network that is not int8.
    """
    flatbuffer.require_int8(network, flatbuffer.read(network))
    try:
        runner = Int8Model(network, is_foreign=True)
        runner.run(made_inputs(runner, 1)[0])
    except TinypruneError as error:
        log.warning("the outputs are not compared: %s", error)
        return None
    if data is None:
        return RepresentativeInputs(np.stack(made_inputs(runner, NOISE_INPUTS)))
    inputs = _read(data, runner)
    values = _fitted(inputs.values, runner, data, network)
    _warn_of_range(values, runner, data)
    return RepresentativeInputs(values, inputs.labels, inputs.source)


def output_error(original: Path, changed: Path, inputs: RepresentativeInputs) -> OutputError:
    """Return how far the outputs of a changed file are from those of the original.

    ``SQNR = 10 log10(sum y^2 / sum (y - y')^2)`` over all outputs ``y`` of the original and ``y'``
    of the changed file. Of several outputs it is that of the worst one.
    """
    expected = _outputs(original, inputs.values)
    outputs = _outputs(changed, inputs.values)
    if has_names(expected):
        return _worst(expected, outputs, inputs)
    sqnr_db = _sqnr_db(expected, outputs)
    is_one_number = expected.shape[-1] == 1 and inputs.labels is None
    agreement = None
    if not is_one_number:
        before, after = _highest(expected), _highest(outputs)
        agreement = float(np.mean(before == after))
    error = OutputError(len(inputs.values), inputs.source, sqnr_db, agreement)
    if inputs.labels is None:
        return error
    return _with_accuracy(error, inputs.labels, expected, outputs)


def _sqnr_db(expected: np.ndarray, outputs: np.ndarray) -> float | None:
    """Return the SQNR of outputs (n, ...) in dB; None where there is no difference."""
    noise = np.square(expected - outputs).sum()
    if not noise:
        return None
    return float(10 * np.log10(max(np.square(expected).sum(), 1e-30) / noise))


def _worst(expected: np.ndarray, outputs: np.ndarray, inputs: RepresentativeInputs) -> OutputError:
    """Return the error of the worst of several outputs."""
    worst, name = None, ""
    for output, values in split(expected).items():
        sqnr_db = _sqnr_db(values, outputs[output])
        if sqnr_db is not None and (worst is None or sqnr_db < worst):
            worst, name = sqnr_db, output
    return OutputError(len(inputs.values), inputs.source, worst, output=name)


def _with_accuracy(
    error: OutputError, labels: IntArray, expected: Float32Array, outputs: Float32Array
) -> OutputError:
    """Return an error with the accuracy of both networks."""
    before, after = by_class(expected), by_class(outputs)
    return OutputError(
        error.inputs,
        error.source,
        error.sqnr_db,
        error.agreement,
        accuracy=accuracy(labels, after),
        original_accuracy=accuracy(labels, before),
    )


def _outputs(path: Path, values: Float32Array) -> Float32Array:
    """Return the outputs (n, ..., outputs) of a file, float64; of several, with their names."""
    runner = Int8Model(path, is_foreign=True)
    outputs = np.stack([runner.run(value) for value in values])
    return each(lambda array: array.astype(np.float64), outputs)


def _highest(outputs: Float32Array) -> IntArray:
    """Return the number of the highest output, of every input and position."""
    if outputs.ndim == 2:
        outputs = by_class(outputs)
    return np.argmax(outputs, axis=-1)


def _read(path: Path, runner: Int8Model) -> RepresentativeInputs:
    """Return the inputs in a file for a network, evenly chosen where there are too many.

    Labels of several outputs are not looked at.
    """
    arrays = read_arrays(path, None)
    name = next(name for name in SPLITS if name in arrays.splits)
    chosen = arrays.splits[name]
    step = -(-len(chosen.x) // MOST_INPUTS)
    values = to_float32(chosen.x[::step])
    if not all(np.isfinite(part).all() for part in parts(values)):
        raise UsageError(f"{path} holds NaN or infinite values: expected finite ones")
    labels = None
    if chosen.y is not None and len(runner.outputs) == 1:
        classes = runner.output_shape[-1]
        labels = _class_numbers(np.asarray(chosen.y)[::step], arrays.class_names, classes, path)
    return RepresentativeInputs(values, labels, path.name)


def _class_numbers(
    y: np.ndarray, names: tuple[str, ...], classes: int, path: Path
) -> IntArray | None:
    """Return labels as numbers of classes; None, with a warning, where they are no classes.

    Numbers that are places among the outputs are taken as they are, others in their order.
    """
    if is_one_hot(y):
        return np.argmax(y, axis=1)
    try:
        labels = checked_labels(y, len(y), f"{path}: y")
    except UsageError as error:
        log.warning("the labels are not used: %s", error)
        return None
    if np.isin(labels, np.arange(max(classes, 2))).all():
        return labels
    found, numbers = numbered_labels({"train": labels}, names, path)
    if len(found) > max(classes, 2):
        raise UsageError(
            f"{path} has labels of {len(found)} classes, and the network {classes} outputs: "
            "give the data that it was trained for"
        )
    return numbers["train"]


def _fitted(values: Float32Array, runner: Int8Model, data: Path, network: Path) -> Float32Array:
    """Return inputs in the shape of the network. Raises UsageError for others."""
    if len(runner.inputs) > 1:
        return _fitted_by_name(values, runner, data, network)
    shape = runner.input_shape[1:]
    given = values.shape[1:]
    if runner.is_sequence and given[-1:] == shape[-1:] and len(given) == len(shape):
        return values
    if _without_ones(given) != _without_ones(shape):
        raise UsageError(
            f"{data} holds inputs of shape {given}, and {network} takes {shape}: "
            "give inputs as the network takes them"
        )
    return values.reshape(-1, *shape)


def _fitted_by_name(values: np.ndarray, runner: Int8Model, data: Path, network: Path) -> np.ndarray:
    """Return several inputs. Raises UsageError for other names or shapes."""
    wanted = {end.name: end.shape[1:] for end in runner.inputs}
    found = shapes(values)
    if found != wanted:
        raise UsageError(
            f"{data} holds inputs {found}, and {network} takes {wanted}: "
            "give each as x_NAME or x_test_NAME"
        )
    return values


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


def _warn_of_range(values: Float32Array, runner: Int8Model, data: Path) -> None:
    """Warn where many inputs are cut off, or are all on a few steps of the network's grid."""
    for end, array in zip(runner.inputs, _in_order(values, runner), strict=True):
        _warn_of_range_of_one(array, end, data)


def _in_order(values: np.ndarray, runner: Int8Model) -> list[np.ndarray]:
    """Return the arrays of the inputs of a network, in its order."""
    return [split(values).get(end.name, values) for end in runner.inputs]


def _warn_of_range_of_one(values: np.ndarray, end: End, data: Path) -> None:
    lowest, highest = end.range
    width = highest - lowest
    is_cut_off = values.max() > highest + width / 2 or values.min() < lowest - width / 2
    if is_cut_off or np.ptp(values) < width / 16:
        log.warning(
            "the inputs in %s are from %.4g to %.4g, and the network's from %.4g to %.4g: "
            "they may need the normalisation that it was trained with",
            data,
            values.min(),
            values.max(),
            lowest,
            highest,
        )
