"""The form of every LSTM layer of a pruning: the one that takes fewer cycles, by Vela.

Each layer is compiled alone, in the shape and with the share of zeros that its plan says. Its
weights are drawn: Vela looks at sizes and at zeros only.
"""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.cell_choice import CellChoice
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.coupling import coupling
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.recurrent_forms import (
    LSTMForm,
    can_be_fused,
    explicit_form,
    form_of,
    input_limits,
    lstm_layers,
    require_fusible,
    with_form,
)
from tinyprune.config.pruning import EXPLICIT, FUSED, MERGED
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.export.tflite import convert
from tinyprune.npu.lowering import compile_lowered
from tinyprune.npu.vela_process import vela_threads
from tinyprune.sparsity.drawn import drawn_mask
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.tflite.flatbuffer import read_file

log = logging.getLogger(__name__)

#: An explicit cell has to be this much cheaper. Fused operators have finer scales, keep their state
#: themselves, and run where nothing was compiled.
MOST_OF_FUSED = 0.97
#: Layers with fewer units take so few cycles that it does not matter.
FEWEST_UNITS = 32
TIMEOUT_SECONDS = 120.0
TWO_PRODUCTS = "inputs and state have a product each: merged, they would lose precision or cycles"
_NOTES = {MERGED: "", EXPLICIT: TWO_PRODUCTS}


@dataclass(frozen=True)
class LayerShape:
    """An LSTM layer as it will be after a pruning.

    Attributes:
        features, units: of its kernels.
        frames: time steps of one call; None where a call is an example of ``length`` frames.
        length: of an example, 1 where calls are frames.
        plans: of its kernels, "kernel" and "recurrent_kernel", where they are pruned.
        explicit: its form that is not fused.
    """

    features: int
    units: int
    frames: int | None
    length: int
    plans: tuple[LayerPlan, ...] = ()
    explicit: LSTMForm = LSTMForm(EXPLICIT)


def choose_cells(
    model: keras.Model,
    pruning: PruningPlan,
    form: str,
    target: NpuTarget,
    frames: int | None,
    calibration: Callable[[], np.ndarray],
) -> tuple[CellChoice, ...]:
    """Return the form of every LSTM layer of a canonical model.

    Args:
        model: the network.
        pruning: its plan.
        form: "fused", "explicit", "merged", or "auto", the cheaper one for each layer.
        target: the accelerator whose cycles count.
        frames: time steps of one call on the device; None for a network on examples.
        calibration: gives inputs (n, ...) of real data.

    Raises UsageError for layers that cannot be fused and shall be.
    """
    layers = lstm_layers(model)
    if form == FUSED:
        for layer in layers:
            require_fusible(layer)
    if form in (FUSED, EXPLICIT):
        return tuple(CellChoice(layer.name, form, target.name) for layer in layers)
    limits = _limits(model, pruning, form, frames, calibration)
    choices = []
    for layer in layers:
        explicit = explicit_form(limits.get(layer.name))
        if form == MERGED:
            choices.append(_chosen(layer, explicit, target, _NOTES[explicit.name]))
        elif not can_be_fused(layer):
            choices.append(_chosen(layer, explicit, target, "hard gates"))
        elif layer.units < FEWEST_UNITS:
            own = LSTMForm(FUSED) if form_of(layer).name == FUSED else explicit
            choices.append(_chosen(layer, own, target, f"fewer than {FEWEST_UNITS} units"))
        else:
            log.info("%s: fused or %s, for %s", layer.name, explicit.name, target.name)
            shape = _planned_shape(model, layer, pruning, frames)
            shape = replace(shape, explicit=explicit)
            choices.append(_cheaper(layer.name, explicit, target, _cycles(shape, target)))
    return tuple(choices)


def _limits(
    model: keras.Model,
    pruning: PruningPlan,
    form: str,
    frames: int | None,
    calibration: Callable[[], np.ndarray],
) -> dict[str, float]:
    """Return layers that have one product of inputs and state -> limit of their inputs.

    It has to be asked for: what one scale for both costs in quality depends on the training.
    A call of many frames has one product of all their inputs, which is cheaper, and few values are
    found for each kernel alone. Without the data nothing is known: a plan is shown all the same.
    """
    if form != MERGED or frames != 1 or pruning.few_values:
        return {}
    try:
        return input_limits(model, calibration)
    except UsageError as error:
        log.warning("planned with a product each for inputs and state: %s", error)
        return {}


def _chosen(layer: Any, form: LSTMForm, target: NpuTarget, note: str) -> CellChoice:
    """Return the choice of a form without comparison."""
    return CellChoice(layer.name, form.name, target.name, {}, note, form.input_limit)


def _cheaper(
    layer: str, explicit: LSTMForm, target: NpuTarget, found: Mapping[str, float | str]
) -> CellChoice:
    """Return the form with fewer cycles; fused where one of them is not known.

    Args:
        layer, target: of the choice.
        explicit: the form that is not fused.
        found: form -> its cycles, or why it could not be compiled.
    """
    cycles = {form: value for form, value in found.items() if not isinstance(value, str)}
    reasons = [f"{form}: {value}" for form, value in found.items() if isinstance(value, str)]
    if reasons:
        return CellChoice(layer, FUSED, target.name, cycles, "; ".join(reasons))
    is_cheaper = cycles[explicit.name] <= MOST_OF_FUSED * cycles[FUSED]
    form = explicit if is_cheaper else LSTMForm(FUSED)
    return CellChoice(layer, form.name, target.name, cycles, input_limit=form.input_limit)


def _planned_shape(
    model: keras.Model, layer: Any, pruning: PruningPlan, frames: int | None
) -> LayerShape:
    """Return a layer with the units and inputs that are left, if units are removed."""
    plans = tuple(item for item in pruning.layers if item.layer == layer.name)
    features, units = kernels(layer)["kernel"].shape[0], layer.units
    length = 1 if frames is not None else layer.input.shape[1] or 1
    if plans and plans[0].structure.name == "unit":
        left = 1 - plans[0].final_sparsity
        inputs = coupling(model).inputs[f"{layer.name}/kernel"]
        units = _rounded(units * left, pruning.round_to)
        if (inputs >= 0).all():
            features = _rounded(features * left, pruning.round_to)
        plans = ()
    return LayerShape(features, units, frames, length, plans)


def _rounded(units: float, multiple: int) -> int:
    return max(1, round(units / multiple)) * multiple


@lru_cache
def _cycles(shape: LayerShape, target: NpuTarget) -> dict[str, float | str]:
    """Return form -> cycles of a layer, or why Vela could not compile it."""
    layer = _layer(shape)
    with tempfile.TemporaryDirectory() as name:
        files = {}
        for form in (LSTMForm(FUSED), shape.explicit):
            path = Path(name) / f"{form.name}.tflite"
            path.write_bytes(convert(with_form(layer, form), shape.frames, _calibration(shape)))
            files[form.name] = path

        def compiled(form: str) -> float | str:
            folder = Path(name) / form
            try:
                source = read_file(files[form])
                report = compile_lowered(source, target, folder, (), TIMEOUT_SECONDS).report
            except TinypruneError as error:
                return _reason(error)
            return report.cycles

        with vela_threads(len(files)) as pool:
            return dict(zip(files, pool.map(compiled, files), strict=True))


def _reason(error: TinypruneError) -> str:
    """Return what went wrong, without the files that are gone."""
    what, _, _ = str(error).partition("; see ")
    return what.rpartition(": ")[2] or what


def _layer(shape: LayerShape) -> keras.Model:
    """Return the layer alone, with weights drawn and masked as its plans say."""
    length = None if shape.frames is not None else shape.length
    features = keras.Input((length, shape.features))
    layer = keras.layers.LSTM(shape.units, return_sequences=True, name="layer")
    model = keras.Model(features, layer(features))
    rng = np.random.default_rng(0)
    by_name = {item.kernel: item for item in shape.plans}
    for name, kernel in kernels(layer).items():
        values = rng.normal(size=kernel.shape).astype(np.float32) / np.sqrt(kernel.shape[0])
        if name in by_name:
            values *= drawn_mask(by_name[name], rng)
        kernel.assign(values)
    return model


def _calibration(shape: LayerShape) -> Float32Array:
    size = (4, shape.features) if shape.frames is not None else (4, shape.length, shape.features)
    return np.random.default_rng(1).normal(size=size).astype(np.float32)


def log_choices(variant: str, choices: Sequence[CellChoice]) -> None:
    """Say what was chosen by cycles, a line per layer."""
    for choice in choices:
        if choice.cycles or choice.note:
            log.info("%s: %s: %s", variant, choice.layer, choice.sentence)
