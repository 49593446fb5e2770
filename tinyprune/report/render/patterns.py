"""Pictures of where the zeros of a network lie: one PNG per kernel, in the shape that the kernel has in the baseline.

A kernel is a matrix of inputs (rows; of a convolution once per place of its window) and outputs
(columns). The gates of
an LSTM stand side by side. A big matrix is reduced: one pixel is the density of some weights. Units
    that are gone
leave a hatched field.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.errors import TinypruneError
from tinyprune.report.model.record import VariantRecord
from tinyprune.tflite import flatbuffer

#: No side of a picture has more pixels.
SIDE = 256
#: Kernels of a variant that are pictured, the biggest; and bytes that the pictures of all variants
#: take, about.
PICTURED, PICTURE_BYTES = 16, 400_000
#: Density that each grey stands for, from all zero to all kept; finer where it is low, so that few
#: weights are seen.
GREYS = tuple((level / 13) ** 2 for level in range(14))

_STRIPE, _BETWEEN = 14, 15
_THINNEST = 32
_GATES = 4
_PALETTE = [
    *(grey for level in range(14) for grey in [255 - round(level * 255 / 13)] * 3),
    198,
    120,
    60,
    250,
    236,
    220,
]


@dataclass(frozen=True, eq=False)
class KernelMatrix:
    """Which weights of a kernel are not zero.

    Attributes:
        name: ``layer/kernel``.
        kept: booleans (places of the window, inputs, gates, outputs); what there is one of has
            length 1.
    """

    name: str
    kept: "np.ndarray[Any, Any]"

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
    """The pictures of one variant. Attributes: name; pictures; left: how many kernels are not pictured."""

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
    names = (
        layers
        if len(layers) == len(operators)
        else [flatbuffer.place(operator) for operator in operators]
    )
    found: dict[str, KernelMatrix] = {}
    for layer, operator in zip(names, operators, strict=True):
        for label, kept in _matrices(operator):
            name = _free(f"{layer}/{label}", found)
            found[name] = KernelMatrix(name, kept)
    return found


def pictures(
    variant: Mapping[str, KernelMatrix], baseline: Mapping[str, KernelMatrix], most: int
) -> list[Picture]:
    """Pictures of the ``most`` biggest kernels of a variant, in order of execution."""
    ranked = sorted(variant.values(), key=lambda kernel: -kernel.kept.size)[:most]
    chosen = {kernel.name for kernel in ranked}
    return [
        picture(kernel, baseline.get(kernel.name, kernel))
        for name, kernel in variant.items()
        if name in chosen
    ]


def gallery(variants: Sequence[VariantRecord], folder: Path) -> list[Gallery]:
    """The kernels of every variant beside the baseline, until the page is full.

    Args:
        variants: of a run, baseline first; one without a readable ``.tflite`` has no pictures.
        folder: the run folder.
    """
    if not variants:
        return []
    baseline = _of_variant(variants[0], folder)
    shown: list[Gallery] = []
    used = 0
    for variant in variants[variants[0].name == "baseline" :]:
        found = _of_variant(variant, folder)
        drawn = pictures(found, baseline, PICTURED) if used < PICTURE_BYTES else []
        used += sum(len(picture.uri) for picture in drawn)
        shown.append(Gallery(variant.name, tuple(drawn), len(found) - len(drawn)))
    return shown


def _of_variant(variant: VariantRecord, folder: Path) -> dict[str, KernelMatrix]:
    """Its kernels; none where there is no file, or none that can be read."""
    if variant.tflite is None:
        return {}
    try:
        return kernels(
            folder / "variants" / variant.name / variant.tflite.path, variant.tflite.layers
        )
    except TinypruneError:
        return {}


def picture(kernel: KernelMatrix, baseline: KernelMatrix) -> Picture:
    """A kernel in the frame of the baseline's, or in its own where that one has no room for it."""
    frame = _frame(kernel.kept.shape, baseline.kept.shape)
    field = np.full(frame, -1, np.int8)
    places, inputs, gates, outputs = kernel.kept.shape
    field[:places, :inputs, :gates, :outputs] = kernel.kept
    rows, columns = frame[0] * frame[1], frame[2] * frame[3]
    cell = _cell(rows, columns)
    gap = np.full((-(-rows // cell[0]), 2), _STRIPE, np.uint8)
    parts = [_levels(field[:, :, gate].reshape(rows, frame[3]), cell) for gate in range(frame[2])]
    levels = np.hstack([piece for part in parts for piece in (gap, part)][1:])
    height, width = levels.shape
    zoom = max(1, min(8, SIDE // max(height, width)))
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
    """(picture, what it means) for the greys and the hatch."""
    shades = [(0, "all zero"), (4, "10 % kept"), (7, "30 %"), (9, "50 %"), (13, "all kept")]
    squares = [(np.full((16, 24), level, np.uint8), meaning) for level, meaning in shades]
    gone = _levels(np.full((16, 24), -1, np.int8), (1, 1))
    return [
        (_png(square), meaning) for square, meaning in [*squares, (gone, "removed with its unit")]
    ]


def _matrices(operator: flatbuffer.Operator) -> Iterator[tuple[str, "np.ndarray[Any, Any]"]]:
    """Label and kept weights (places, inputs, gates, outputs) of the kernels of an operator."""
    tensors = [
        tensor if tensor is not None and _is_kernel(tensor) else None for tensor in operator.inputs
    ]
    kept = [None if tensor is None else _kept(tensor) for tensor in tensors]
    if "SEQUENCE_LSTM" in operator.name:
        # Inputs 1 to 4 and 5 to 8 of the operator: what the gates make of x and of h, each (units,
        # inputs).
        for label, first in (("kernel", 1), ("recurrent_kernel", 5)):
            gates = [gate for gate in kept[first : first + _GATES] if gate is not None]
            if len(gates) == _GATES:
                yield label, np.stack(gates, axis=-1).transpose(1, 2, 0)[None]
        return
    for array in (array for array in kept if array is not None):
        if "DEPTHWISE" in operator.name:
            yield "kernel", array.reshape(-1, 1, 1, array.shape[-1])
        else:
            yield (
                "kernel",
                array.reshape(array.shape[0], -1, array.shape[-1]).transpose(1, 2, 0)[:, :, None],
            )


def _is_kernel(tensor: flatbuffer.Tensor) -> bool:
    return (
        tensor.data is not None
        and tensor.dtype == "int8"
        and len(tensor.shape) > 1
        and tensor.data.size > 0
    )


def _kept(tensor: flatbuffer.Tensor) -> "np.ndarray[Any, Any]":
    zero = tensor.zero_point[0] if len(tensor.zero_point) else 0
    return np.asarray(tensor.data) != zero


def _free(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def _frame(shape: tuple[int, ...], baseline: tuple[int, ...]) -> tuple[int, ...]:
    same = shape[0] == baseline[0] and shape[2] == baseline[2]
    return (
        baseline
        if same and all(own <= other for own, other in zip(shape, baseline, strict=True))
        else shape
    )


def _cell(rows: int, columns: int) -> tuple[int, int]:
    """Weights per pixel: square, unless a thin matrix would become a line."""
    reduce = -(-max(rows, columns) // SIDE)
    return min(reduce, max(1, rows // _THINNEST)), min(reduce, max(1, columns // _THINNEST))


def _levels(field: "np.ndarray[Any, Any]", cell: tuple[int, int]) -> "np.ndarray[Any, Any]":
    """Grey per cell of a matrix of 1 (kept), 0 (zero) and -1 (gone); hatched where most of a cell is gone."""
    rows, columns = (
        -(-length // step) * step for length, step in zip(field.shape, cell, strict=True)
    )
    padded = np.full((rows, columns), -2, np.int8)
    padded[: field.shape[0], : field.shape[1]] = field
    cells = padded.reshape(rows // cell[0], cell[0], columns // cell[1], cell[1])
    kept, there, gone = (
        (cells == 1).sum((1, 3)),
        (cells >= 0).sum((1, 3)),
        (cells == -1).sum((1, 3)),
    )
    levels = np.round(13 * np.sqrt(kept / np.maximum(there, 1))).astype(np.uint8)
    y, x = np.indices(levels.shape)
    stripes = np.where((x + y) % 4 == 0, _STRIPE, _BETWEEN)
    return np.where(gone > there, stripes, levels).astype(np.uint8)


def _png(levels: "np.ndarray[Any, Any]") -> str:
    from PIL import Image

    image = Image.fromarray(levels)
    image.putpalette(_PALETTE)
    file = io.BytesIO()
    image.save(file, format="PNG", bits=4, optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
