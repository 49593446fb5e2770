"""What a network takes of its device: by our own count, or by Vela."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.shapes import network_shape
from tinyprune.config.budget import BudgetConfig
from tinyprune.export.tflite import convert
from tinyprune.npu import vela
from tinyprune.sparsity.resource_model import ResourceModel

Taken = dict[str, float]
#: Quantity -> its limit in BudgetConfig, its unit.
QUANTITIES = {
    "flash": ("max_flash", "B"),
    "SRAM": ("max_sram", "B"),
    "MACs": ("max_macs", ""),
    "cycles": ("max_cycles", ""),
}
CALIBRATION = 16


def counted(model: keras.Model, frames: int | None) -> Taken:
    """Int8 weights and int32 biases, peak of the feature maps, MACs; ``frames``: 1 for a network that streams."""
    canonical = fold(model)
    shape = network_shape(canonical, coupling(canonical), frames)
    counts = ResourceModel(shape)
    return {
        "flash": float(counts.size_bytes(shape.whole)),
        "SRAM": float(counts.peak_bytes(shape.whole)),
        "MACs": float(counts.macs(shape.whole)),
    }


def compiled(model: keras.Model, frames: int | None, target: NpuTarget) -> Taken:
    """What Vela says of a model in int8, calibrated on noise: sizes and weights are what it looks at."""
    canonical = fold(model)
    shape = canonical.inputs[0].shape[2 if frames else 1 :]
    calibration = np.random.default_rng(0).standard_normal((CALIBRATION, *shape), np.float32)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.tflite"
        path.write_bytes(convert(canonical, frames, calibration))
        return of_report(vela.compile_tflite(path, target, Path(name) / "compiled").report)


def of_report(report: ResourceReport) -> Taken:
    """The same of a compiled network."""
    return {
        "flash": report.flash_bytes,
        "SRAM": report.sram_bytes,
        "MACs": float(report.macs),
        "cycles": report.cycles,
    }


def budget(limits: Taken) -> BudgetConfig:
    """Limits in B and counts as a budget."""
    texts: dict[str, Any] = {
        QUANTITIES[name][0]: f"{most:.0f}{QUANTITIES[name][1]}" for name, most in limits.items()
    }
    return BudgetConfig(**texts)


def worst(taken: Taken, limits: Taken) -> float:
    """The largest part of a limit that is used; above 1 it is not kept."""
    return max(taken[name] / most for name, most in limits.items())
