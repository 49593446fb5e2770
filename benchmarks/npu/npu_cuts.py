"""What removed units and 2:4 save on the NPU, by Vela: DS-CNN-L and ResNet-8, dense and pruned."""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from benchmarks.shared.report import Case, Check, Report
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MaskUpdater, kept_units, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import batches, calibrate, prepare, strip
from tinyprune.compress.remove import remove, remove_masks
from tinyprune.config import MagnitudePruning, PruneConfig
from tinyprune.export.tflite import export
from tinyprune.npu import targets, vela
from tinyprune.registry import MODELS

LIMIT_UNITS, FEWER = 2.5, 0.99
HALF = MagnitudePruning(
    importance="lamp", structure="unit", sparsity=0.5, scope="layer", schedule="one-shot"
)
TWO_OF_FOUR = MagnitudePruning(importance="lamp", structure="2:4", schedule="one-shot")


class Pair(NamedTuple):
    """Two int8 graphs of a network. Attributes: name; how it was pruned; dense, pruned: the files; note: on them."""

    name: str
    how: str
    dense: Path
    pruned: Path
    note: str


def measure(options: argparse.Namespace) -> Report:
    """Cycles of one inference. Vela's estimates are the same every time: each is taken once."""
    del options
    u55, u85 = (
        targets.resolve("ethos-u55-128", memory_mode="Shared_Sram"),
        targets.resolve("ethos-u85-256"),
    )
    with tempfile.TemporaryDirectory() as name:
        halved = _pair("ds_cnn_l", "units halved", HALF, Path(name))
        sparse = _pair("resnet8", "2:4", TWO_OF_FOUR, Path(name))
        cases, (dense, small) = _compiled(halved, u55)
        checks = [
            Check(
                "ds_cnn_l, units halved: times fewer cycles",
                dense.cycles / small.cycles,
                "x",
                LIMIT_UNITS,
                True,
            )
        ]
        for target in (u85, targets.resolve("ethos-u85-256", memory_mode="Sram_Only")):
            more, (dense, pruned) = _compiled(sparse, target)
            cases += more
            what = f"resnet8, 2:4 / dense, {target.memory_mode}"
            checks += [
                Check(f"{what}: cycles", pruned.cycles / dense.cycles, "x", FEWER),
                Check(f"{what}: NPU cycles", pruned.cycles_npu / dense.cycles_npu, "x", FEWER),
            ]
    targets_used = f"{u55.npu} with {u55.system_config}, {u85.npu} with {u85.system_config}"
    random = (
        "random weights, pruned by magnitude without training: Vela looks at sizes and zeros only"
    )
    return Report(cases, checks, [random, halved.note, sparse.note, targets_used])


def _pair(name: str, how: str, config: PruneConfig, folder: Path) -> Pair:
    """The network as it is and pruned at once, both on their int8 grids and exported."""
    keras.utils.set_random_seed(0)
    base = fold(MODELS[name]())
    shape = base.inputs[0].shape[1:]
    calibration = np.random.default_rng(0).standard_normal((64, *shape), np.float32)
    prepared = prepare(base)
    calibrate(prepared, batches(calibration, prepared))
    dense = export(strip(prepared, base), None, calibration, {}, folder / f"{name}.tflite")
    units = coupling(base) if config.structure == "unit" else None
    MaskUpdater(prepared, plan(base, config), 1, units).update(0)
    model, masks = strip(prepared, base), read_masks(prepared)
    if units is not None:
        keep = kept_units(units, masks)
        model, masks = remove(model, units, keep), remove_masks(masks, units, keep)
    pruned = export(model, None, calibration, masks, folder / f"{name}-pruned.tflite")
    zeros, size = (
        sum(tensor.zeros for tensor in pruned.tensors),
        sum(tensor.size for tensor in pruned.tensors),
    )
    note = f"{name}: {base.count_params():,} parameters; {how}: {model.count_params():,}, {zeros / size:.0%} zeros"
    return Pair(name, how, dense.path, pruned.path, note)


def _compiled(
    pair: Pair, target: NpuTarget
) -> tuple[list[Case], tuple[ResourceReport, ResourceReport]]:
    """What both graphs cost on a target."""
    dense, pruned = (
        vela.compile_tflite(path, target, path.with_suffix("") / target.memory_mode).report
        for path in (pair.dense, pair.pruned)
    )
    cases = []
    for how, report in (("dense", dense), (pair.how, pruned)):
        what = f"{pair.name}, {how}, {target.memory_mode}"
        cases += [
            Case(what, "cycles", [report.cycles]),
            Case(f"{what}: NPU", "cycles", [report.cycles_npu]),
            Case(f"{what}: encoded weights", "B", [report.encoded_weight_bytes]),
        ]
    return cases, (dense, pruned)
