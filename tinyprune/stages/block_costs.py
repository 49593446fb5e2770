"""What kernels of a plan would cost with their blocks of zeros: dense, and lowered."""

import logging
import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tinyprune.artifacts.resources import LOWER_NEVER, NpuTarget
from tinyprune.compress.kinds.lookup import require_kernel_kind
from tinyprune.errors import TinypruneError
from tinyprune.npu.lowering import compile_lowered
from tinyprune.sparsity.drawn import drawn_mask
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.tflite.flatbuffer import read_file
from tinyprune.tflite.lowering.drawn import DrawnOperator, file_of

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 120.0
_LOWERED = ("dense", "conv")


@dataclass(frozen=True)
class _Cost:
    """Cycles of an operator alone. Attributes: dense; lowered, where that is cheaper."""

    dense: float
    lowered: float

    @property
    def sentence(self) -> str:
        """Both in words."""
        if self.lowered < self.dense:
            return f"{self.lowered:,.0f} cycles lowered, {self.dense:,.0f} dense"
        return f"stays dense: {self.dense:,.0f} cycles"


def with_block_costs(model: keras.Model, pruning: PruningPlan, target: NpuTarget) -> PruningPlan:
    """Return a plan whose kernels with blocks say what they cost on a target, if they are drawn.

    Vela is asked for Dense and convolutions; recurrent layers are compiled whole where their form
    is chosen. A kernel that Vela cannot compile says nothing.
    """
    return replace(pruning, layers=tuple(_noted(model, item, target) for item in pruning.layers))


def _noted(model: keras.Model, item: LayerPlan, target: NpuTarget) -> LayerPlan:
    layer = model.get_layer(item.layer)
    if item.structure.name != "block" or require_kernel_kind(layer).operator not in _LOWERED:
        return item
    log.info("%s: dense or lowered, for %s", item.key, target.name)
    anonymous = replace(item, layer="", note="")
    try:
        cost = _cost(anonymous, _operator(layer, len(item.shape)), target)
    except TinypruneError as error:
        log.info("%s: %s", item.key, error)
        return item
    return replace(item, note=cost.sentence)


def _operator(layer: Any, rank: int) -> DrawnOperator:
    """Return the operator of one call; a sequence is as long as the window of its kernel."""
    channels_in, channels_out = layer.input.shape[-1], layer.output.shape[-1]
    if rank == 2:
        return DrawnOperator((1, channels_in), (1, channels_out))
    read = [1, *layer.input.shape[1:-1]]
    made = [1, *layer.output.shape[1:-1]]
    is_same = layer.padding == "same"
    strides = tuple(layer.strides)
    if None in read:
        read = [1, *layer.kernel_size]
        made = [1] * len(read)
        is_same, strides = False, (1,) * len(layer.kernel_size)
    if rank == 3:  # of one row
        read, made, strides = [1, *read], [1, *made], (1, *strides)
    return DrawnOperator((*read, channels_in), (*made, channels_out), strides[-2:], is_same)


@lru_cache
def _cost(item: LayerPlan, drawn: DrawnOperator, target: NpuTarget) -> _Cost:
    """Return what a kernel costs. Raises TinypruneError where Vela does not compile it."""
    rng = np.random.default_rng(0)
    mask = drawn_mask(item, rng)
    kernel = (rng.integers(-127, 128, mask.shape) * mask).astype(np.int8)
    if kernel.ndim == 3:
        kernel = kernel[None]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "layer.tflite"
        path.write_bytes(file_of(kernel, drawn))
        source = read_file(path)
        cycles: list[float] = []
        for lower in (LOWER_NEVER, target.lower):
            folder = Path(name) / f"out-{len(cycles)}"
            own = replace(target, lower=lower)
            report = compile_lowered(source, own, folder, (), TIMEOUT_SECONDS).report
            cycles.append(report.cycles)
    return _Cost(*cycles)
