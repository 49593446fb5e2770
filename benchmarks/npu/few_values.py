"""Flash of networks with few values per kernel: predicted with and without their palettes, beside Vela's."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.report import Case, Check, Report
from tinyprune import pretrained
from tinyprune.compress.offline import prune_file
from tinyprune.npu import targets, vela
from tinyprune.npu.graph_shape import graph_shape, kernel_zeros
from tinyprune.npu.palettes import palette_bytes
from tinyprune.npu.prediction import predict_whole
from tinyprune.sparsity.structure import parse
from tinyprune.tflite import flatbuffer

NPUS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
#: (sparsity, values) of the offline control.
LEVELS = ((0.0, 32), (0.0, 16), (0.0, 4), (0.8, 16), (0.8, 8))
RANDOM_NETWORKS = ("ds_cnn", "resnet8")
LARGEST_MEAN_ERROR = 5.0
BEFORE, AFTER = "zeros alone", "zeros and palettes"


def measure(options: argparse.Namespace) -> Report:
    """Return the error of the predicted flash of every network on every accelerator."""
    npus = NPUS[:1] if options.smoke else NPUS
    levels = LEVELS[1:2] if options.smoke else LEVELS
    folder = options.work / "few_values"
    folder.mkdir(parents=True, exist_ok=True)
    files = list(_networks(folder, levels, options.smoke))
    cases = []
    checks = []
    for npu in npus:
        errors: dict[str, list[float]] = {BEFORE: [], AFTER: []}
        for path in files:
            for way, error in _errors(path, npu, folder).items():
                errors[way].append(error)
        for way, values in errors.items():
            cases.append(Case(f"{npu}, {way}: predicted flash", "% off", values))
        mean = float(np.abs(errors[AFTER]).mean())
        checks.append(Check(f"{npu}, {BEFORE}: mean error", _mean(errors[BEFORE]), "%"))
        checks.append(Check(f"{npu}, {AFTER}: mean error", mean, "%", LARGEST_MEAN_ERROR))
        largest = float(np.abs(errors[AFTER]).max())
        checks.append(Check(f"{npu}, {AFTER}: largest error", largest, "%"))
    return Report(cases, checks, [f"networks: {', '.join(path.stem for path in files)}"])


def _mean(errors: list[float]) -> float:
    return float(np.abs(errors).mean())


def _networks(folder: Path, levels: tuple, is_smoke: bool) -> Iterator[Path]:
    """Yield files with few values: the shipped denoiser, and random networks, clustered offline."""
    sources = {"denoiser": pretrained.denoiser()}
    for name in () if is_smoke else RANDOM_NETWORKS:
        sources[name] = _exported(name, folder)
    for name, source in sources.items():
        for sparsity, clusters in levels:
            path = folder / f"{name}-{sparsity:g}-{clusters}.tflite"
            structure = parse("weight", "16x16")
            prune_file(source, structure, sparsity, "global", "lamp", path, clusters)
            yield path


def _exported(name: str, folder: Path) -> Path:
    """Return a registered network of random weights as int8."""
    import keras

    from tinyprune.compress.fold import fold
    from tinyprune.export.tflite import export
    from tinyprune.registry import MODELS

    keras.utils.set_random_seed(0)
    model = fold(MODELS[name]())
    shape = (16, *model.input_shape[1:])
    calibration = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return export(model, None, calibration, {}, folder / f"{name}.tflite").path


def _errors(path: Path, npu: str, folder: Path) -> dict[str, float]:
    """Return way -> how far the predicted flash is from Vela's, in per cent of it."""
    target = targets.resolve(npu)
    graph = flatbuffer.read(path)
    report = vela.compile_tflite(path, target, folder / npu / path.stem).report
    errors = {}
    for way, palettes in ((BEFORE, {}), (AFTER, palette_bytes(graph))):
        expected = predict_whole(graph_shape(graph), kernel_zeros(graph), target, palettes)
        assert expected is not None, "every target here has constants"
        errors[way] = 100 * (expected.flash_bytes / report.flash_bytes - 1)
    return errors
