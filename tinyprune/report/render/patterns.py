"""Pictures of where the zeros of a network lie: one PNG per kernel.

A picture has the shape that the kernel has in the baseline. A kernel is a matrix of inputs (rows;
of a convolution once per place of its window) and outputs (columns). The gates of an LSTM stand
side by side. A big matrix is reduced: one pixel is the density of some weights. Units that are gone
leave a hatched field.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.array_types import BoolArray, Int8Array
from tinyprune.errors import TinypruneError
from tinyprune.report.model.record import VariantRecord
from tinyprune.report.render.png import png
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Operator, Tensor
from tinyprune.tflite.operators import GATES, operator_type

Levels = npt.NDArray[np.uint8]

#: No side of a picture has more pixels.
SIDE = 256
#: Kernels of a variant that are pictured, the biggest.
PICTURED = 16
#: Bytes that the pictures of all variants take, about.
PICTURE_BYTES = 400_000
#: Levels of grey from all zero to all kept.
_DARKEST = 13
#: Density that each grey stands for; finer where it is low, so that few weights are seen.
GREYS = tuple((level / _DARKEST) ** 2 for level in range(_DARKEST + 1))

#: Levels of the two colours that hatch what is gone.
_STRIPE, _BETWEEN = 14, 15
_STRIPE_COLOUR = [198, 120, 60]
_BETWEEN_COLOUR = [250, 236, 220]
#: Columns between the gates of an LSTM.
_GATE_GAP = 2
#: Sides are not reduced below this.
_THINNEST = 32
#: Pixels of the screen that one pixel of a small picture takes, at most.
_LARGEST_ZOOM = 8
#: Kernels of an LSTM. A bidirectional one starts with the same inputs.
_LSTM_KERNELS = operator_type("UNIDIRECTIONAL_SEQUENCE_LSTM").kernels
_LEGEND = {0: "all zero", 4: "10 % kept", 7: "30 %", 9: "50 %", 13: "all kept"}


@dataclass(frozen=True, eq=False)
class KernelMatrix:
    """The weights of a kernel that are not zero.

    Attributes:
        name: ``layer/kernel``.
        kept: booleans (places of the window, inputs, gates, outputs); what there is one of has
            length 1.
    """

    name: str
    kept: BoolArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        places, inputs, gates, outputs = self.kept.shape
        return places * inputs, gates * outputs


@dataclass(frozen=True)
class Picture:
    """One kernel to look at.

    Attributes:
        name: ``layer/kernel``. shape: rows and columns of its matrix; baseline: of the baseline's.
        sparsity: fraction of its weights that are zero.
        cell: weights (rows, columns) that one pixel stands for.
        uri: ``data:image/png;base64,...``. width, height: how big it is shown, in pixels.
    """

    name: str
    shape: tuple[int, int]
    baseline: tuple[int, int]
    sparsity: float
    cell: tuple[int, int]
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Gallery:
    """The pictures of one variant.

    Attributes:
        name: of the variant. pictures: in order of execution.
        left: number of kernels that are not pictured.
    """

    name: str
    pictures: tuple[Picture, ...]
    left: int


def kernels(path: Path, layers: Sequence[str] = ()) -> dict[str, KernelMatrix]:
    """The int8 kernels of a ``.tflite`` by name, in order of execution.

    Args:
        path: the file. Raises UsageError if it is missing or no TFLite.
        layers: the layer of every operator; default: their places in the network.
    """
    operators = flatbuffer.read(path).operators
    if len(layers) != len(operators):
        layers = [operator.place for operator in operators]
    matrices: dict[str, KernelMatrix] = {}
    for layer, operator in zip(layers, operators, strict=True):
        for label, kept in _matrices(operator):
            name = _free(f"{layer}/{label}", matrices)
            matrices[name] = KernelMatrix(name, kept)
    return matrices


def pictures(
    variant: Mapping[str, KernelMatrix], baseline: Mapping[str, KernelMatrix], most: int
) -> list[Picture]:
    """Pictures of the ``most`` biggest kernels of a variant, in order of execution."""
    ranked = sorted(variant.values(), key=lambda kernel: -kernel.kept.size)
    biggest = {kernel.name for kernel in ranked[:most]}
    drawn = []
    for name, kernel in variant.items():
        if name in biggest:
            drawn.append(picture(kernel, baseline.get(name, kernel)))
    return drawn


def gallery(variants: Sequence[VariantRecord], folder: Path) -> list[Gallery]:
    """The kernels of every variant beside the baseline, until the page is full.

    Args:
        variants: of a run, baseline first; one without a readable ``.tflite`` has no pictures.
        folder: the run folder.
    """
    if not variants:
        return []
    baseline = _variant_kernels(variants[0], folder)
    pictured = variants[1:] if variants[0].name == "baseline" else variants
    galleries: list[Gallery] = []
    used_bytes = 0
    for variant in pictured:
        matrices = _variant_kernels(variant, folder)
        drawn = pictures(matrices, baseline, PICTURED) if used_bytes < PICTURE_BYTES else []
        used_bytes += sum(len(picture.uri) for picture in drawn)
        galleries.append(Gallery(variant.name, tuple(drawn), len(matrices) - len(drawn)))
    return galleries


def _variant_kernels(variant: VariantRecord, folder: Path) -> dict[str, KernelMatrix]:
    """The kernels of a variant; none where there is no file, or none that can be read."""
    if variant.tflite is None:
        return {}
    path = folder / "variants" / variant.name / variant.tflite.path
    try:
        return kernels(path, variant.tflite.layers)
    except TinypruneError:
        return {}


def picture(kernel: KernelMatrix, baseline: KernelMatrix) -> Picture:
    """A kernel in the frame of the baseline's, or in its own where that one has no room for it."""
    frame = _frame(kernel.kept.shape, baseline.kept.shape)
    field = np.full(frame, -1, np.int8)
    places, inputs, gates, outputs = kernel.kept.shape
    field[:places, :inputs, :gates, :outputs] = kernel.kept

    rows = frame[0] * frame[1]
    columns = frame[2] * frame[3]
    cell = _cell(rows, columns)
    gate_levels = []
    for gate in range(frame[2]):
        matrix = field[:, :, gate].reshape(rows, frame[3])
        gate_levels.append(_levels(matrix, cell))
    levels = _side_by_side(gate_levels)

    height, width = levels.shape
    zoom = max(1, min(_LARGEST_ZOOM, SIDE // max(height, width)))
    return Picture(
        name=kernel.name,
        shape=kernel.shape,
        baseline=(rows, columns),
        sparsity=1 - float(kernel.kept.mean()) if kernel.kept.size else 0.0,
        cell=cell,
        uri=_png(levels),
        width=width * zoom,
        height=height * zoom,
    )


def legend() -> list[tuple[str, str]]:
    """(picture, meaning) of the greys and the hatch."""
    shape = (16, 24)
    squares = []
    for level, meaning in _LEGEND.items():
        squares.append((_png(np.full(shape, level, np.uint8)), meaning))
    gone = _levels(np.full(shape, -1, np.int8), (1, 1))
    squares.append((_png(gone), "removed with its unit"))
    return squares


def _matrices(operator: Operator) -> list[tuple[str, BoolArray]]:
    """Label and kept weights (places, inputs, gates, outputs) of the kernels of an operator."""
    if "SEQUENCE_LSTM" in operator.name:
        return _lstm_matrices(operator)
    is_depthwise = operator_type(operator.name).kind == "depthwise"
    matrices = []
    for tensor in filter(_is_kernel, operator.constants):
        kept = _kept(tensor)
        if is_depthwise:
            matrix = kept.reshape(-1, 1, 1, kept.shape[-1])
        else:
            flat = kept.reshape(kept.shape[0], -1, kept.shape[-1])  # (outputs, places, inputs)
            matrix = flat.transpose(1, 2, 0)[:, :, None]
        matrices.append(("kernel", matrix))
    return matrices


def _lstm_matrices(operator: Operator) -> list[tuple[str, BoolArray]]:
    """The kernels of an LSTM that have a matrix (units, inputs) for each gate."""
    matrices = []
    for kernel in _LSTM_KERNELS:
        gates = []
        for number in kernel.inputs:
            tensor = operator.constant(number)
            if tensor is not None and _is_kernel(tensor):
                gates.append(_kept(tensor))
        if len(gates) == GATES:
            stacked = np.stack(gates, axis=-1)  # (units, inputs, gates)
            matrices.append((kernel.name, stacked.transpose(1, 2, 0)[None]))
    return matrices


def _is_kernel(tensor: Tensor) -> bool:
    """Return whether a constant is a matrix of int8, or one of more axes."""
    has_axes = len(tensor.shape) > 1
    return has_axes and tensor.dtype == "int8" and tensor.values.size > 0


def _kept(tensor: Tensor) -> BoolArray:
    return np.asarray(tensor.data) != tensor.integer_of_zero


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number behind it where it is taken."""
    free = name
    number = 2
    while free in taken:
        free = f"{name} {number}"
        number += 1
    return free


def _frame(shape: tuple[int, ...], baseline: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the baseline where a kernel fits into it, else its own."""
    same_window = shape[0] == baseline[0] and shape[2] == baseline[2]
    has_room = shape[1] <= baseline[1] and shape[3] <= baseline[3]
    if same_window and has_room:
        return baseline
    return shape


def _cell(rows: int, columns: int) -> tuple[int, int]:
    """Weights per pixel: square, unless a thin matrix would become a line."""
    reduction = -(-max(rows, columns) // SIDE)
    down = min(reduction, max(1, rows // _THINNEST))
    across = min(reduction, max(1, columns // _THINNEST))
    return down, across


def _levels(field: Int8Array, cell: tuple[int, int]) -> Levels:
    """Level per cell of a matrix of 1 (kept), 0 (zero) and -1 (gone).

    A cell is hatched where most of it is gone.
    """
    down, across = cell
    rows = -(-field.shape[0] // down)
    columns = -(-field.shape[1] // across)
    padded = np.full((rows * down, columns * across), -2, np.int8)
    padded[: field.shape[0], : field.shape[1]] = field
    cells = padded.reshape(rows, down, columns, across)
    kept = (cells == 1).sum((1, 3))
    there = (cells >= 0).sum((1, 3))
    gone = (cells == -1).sum((1, 3))

    levels = np.round(_DARKEST * np.sqrt(kept / np.maximum(there, 1))).astype(np.uint8)
    y, x = np.indices(levels.shape)
    stripes = np.where((x + y) % 4 == 0, _STRIPE, _BETWEEN)
    return np.where(gone > there, stripes, levels).astype(np.uint8)


def _side_by_side(parts: Sequence[Levels]) -> Levels:
    """Pictures of the same height with a line between them."""
    gap = np.full((len(parts[0]), _GATE_GAP), _STRIPE, np.uint8)
    pieces = [parts[0]]
    for part in parts[1:]:
        pieces += [gap, part]
    return np.hstack(pieces)


def _png(levels: Levels) -> str:
    content = base64.b64encode(png(levels, _palette()))
    return "data:image/png;base64," + content.decode("ascii")


def _palette() -> list[int]:
    """Red, green and blue of every level."""
    palette = []
    for level in range(_DARKEST + 1):
        grey = 255 - round(level * 255 / _DARKEST)
        palette += [grey, grey, grey]
    return palette + _STRIPE_COLOUR + _BETWEEN_COLOUR
