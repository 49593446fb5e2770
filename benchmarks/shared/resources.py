"""Resources of a network, by the project's own count or by Vela, and budgets made of them."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tinyprune.artifacts.quantity import FLASH, MULTIPLY_ACCUMULATES, SRAM, TOTAL_CYCLES
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.shapes import network_shape
from tinyprune.config.budget import BudgetConfig
from tinyprune.export.tflite import convert
from tinyprune.npu import vela
from tinyprune.sparsity.resource_model import ResourceModel
from tinyprune.units import BYTES

#: Quantity -> how much of it, in B or a count.
Resources = dict[str, float]
#: Label -> quantity.
QUANTITIES = {
    quantity.label: quantity for quantity in (FLASH, SRAM, MULTIPLY_ACCUMULATES, TOTAL_CYCLES)
}
CALIBRATION_EXAMPLES = 16


def counted(model: keras.Model, frames: int | None) -> Resources:
    """Return int8 weights and int32 biases, peak of the feature maps, MACs.

    Args:
        model: any Keras model.
        frames: 1 for a network that streams.
    """
    canonical = fold(model)
    shape = network_shape(canonical, coupling(canonical), frames)
    counts = ResourceModel(shape)
    return {
        "flash": float(counts.size_bytes(shape.whole)),
        "SRAM": float(counts.peak_bytes(shape.whole)),
        "MACs": float(counts.macs(shape.whole)),
    }


def compiled(model: keras.Model, frames: int | None, target: NpuTarget) -> Resources:
    """Return Vela's figures for a model in int8, calibrated on noise.

    Vela looks at sizes and weights only.
    """
    canonical = fold(model)
    shape = canonical.inputs[0].shape[2 if frames else 1 :]
    rng = np.random.default_rng(0)
    calibration = rng.standard_normal((CALIBRATION_EXAMPLES, *shape), np.float32)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.tflite"
        path.write_bytes(convert(canonical, frames, calibration))
        return reported(vela.compile_tflite(path, target, Path(name) / "compiled").report)


def reported(report: ResourceReport) -> Resources:
    """Return the resources of a compiled network."""
    return {label: float(quantity.of_report(report)) for label, quantity in QUANTITIES.items()}


def budget(limits: Resources) -> BudgetConfig:
    """Return limits in B and counts as a budget."""
    texts: dict[str, Any] = {}
    for label, most in limits.items():
        quantity = QUANTITIES[label]
        unit = "B" if quantity.unit is BYTES else ""
        texts[quantity.option.name] = f"{most:.0f}{unit}"
    return BudgetConfig(**texts)


def largest_share(resources: Resources, limits: Resources) -> float:
    """Return the largest share of a limit that is used; above 1 it is not kept."""
    return max(resources[quantity] / most for quantity, most in limits.items())
