"""A 16-bit mask beside the int8 one, on a finished run: test quality, cycles, flash and SRAM (long, by name)."""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.int16 import cut, widen
from benchmarks.shared import toys
from benchmarks.shared.environment import relative
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES

INT8, SIGMOID, MASK, BOTH = (
    "int8",
    "16-bit sigmoid",
    "16-bit mask layer",
    "16-bit dense + mask layer",
)
WIDENED = {
    SIGMOID: 1,
    MASK: 2,
    BOTH: 3,
}  # operators, from the end: LOGISTIC, FULLY_CONNECTED, FULLY_CONNECTED
GRAPH = "streaming.tflite"
TAIL, FLOAT = "float mask layer", "float network"
METRICS = {
    "si_sdr_db": ("SI-SDR", "dB"),
    "sdr_db": ("SDR", "dB"),
    "stoi": ("STOI", ""),
    "pesq_wb": ("PESQ wb", ""),
}
TARGETS = (
    ("ethos-u55-128", "Shared_Sram"),
    ("ethos-u55-128", "Sram_Only"),
    ("ethos-u85-256", "Shared_Sram"),
)
QUICK = 12  # test mixtures
ROUNDING = 3e-4  # of a mask: 16-bit argument and result
SAME = "the weights are those of the int8 graph, nothing was trained again for 16 bits"
CHECKED = (
    f"checked: the mask of the 16-bit mask layer is within {ROUNDING:g} of that of the same layer in float, "
    "whose argument is kept in the range that was calibrated"
)

Array = np.ndarray
Masks = Callable[[Array], Array]


@dataclass(frozen=True)
class Network:
    """A variant with its ways to a mask.

    Attributes:
        name: of the variant. graphs: what runs on the NPU -> its file. masks: way -> function from
            features (frames,
        bands) of a whole utterance to masks of this shape.
    """

    name: str
    graphs: Mapping[str, Path]
    masks: Mapping[str, Masks]


def measure(options: argparse.Namespace) -> Report:
    """The first and the last variant of the run, on the same test mixtures; one Vela run for each graph and target."""
    from tinyprune.storage.run_folder import Workspace

    run = toys.exported_run(options) if options.smoke else options.baseline
    space = Workspace(run) if run else None
    found = [v for v in space.variants() if _has(v.folder, GRAPH, "model.keras")] if space else []
    if space is None or not found:
        raise Unavailable(
            "give a run folder with exported networks of speech: --baseline runs/default"
        )
    count = min(QUICK, SIZES.mask_mixtures) if options.quick else SIZES.mask_mixtures
    scored, data = _test_set(space, count)
    cases, checks, notes = [], [], []
    with tempfile.TemporaryDirectory() as name:
        for variant in dict.fromkeys((found[0], found[-1])):
            folder = Path(name) / variant.name
            network = _network(variant, folder)
            _check_exact(network, scored)
            values = {way: _values(scored, masks) for way, masks in network.masks.items()}
            costs, more = _costs(network, folder)
            gains, intervals = _gains(network.name, values)
            cases += [*_means(network.name, values), *costs]
            checks += [*gains, *more]
            notes += intervals
    notes += [
        f"run: {run.resolve().name}; {len(scored.mixtures)} test mixtures, {data}",
        SAME,
        CHECKED,
    ]
    return Report(cases, checks, notes)


def _has(folder: Path, *names: str) -> bool:
    return all((folder / name).exists() for name in names)


def _test_set(space: Any, count: int) -> tuple[Any, str]:
    """Test mixtures of the data that a run was trained on, and where they come from."""
    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.config import DataConfig, from_mapping
    from tinyprune.data.speech.scored_set import ScoredSet
    from tinyprune.registry import DATASETS
    from tinyprune.stages.run import TEST_FOLDERS
    from tinyprune.storage.records import read_json
    from tinyprune.storage.run_folder import BASELINE

    baseline, folders = space.variant(BASELINE), space.root / TEST_FOLDERS
    given = read_json(folders, dict[str, str]) if folders.exists() else {}
    stored = {
        key: value for key, value in baseline.configuration()["data"].items() if value is not None
    }
    config = from_mapping(stored | given | {"dev_utterances": count}, DataConfig)
    mixtures = DATASETS[config.name](config, space.data).utterances("test")
    where = " and ".join(relative(Path(path)) for path in given.values()) or config.name
    return ScoredSet(mixtures, read_json(baseline.folder / "frontend.json", FrontEnd)), where


def _network(variant: Any, folder: Path) -> Network:
    from tinyprune.tflite.interpreter import Int8Model

    folder.mkdir()
    source = variant.folder / GRAPH
    graphs = {INT8: source}
    for way, count in WIDENED.items():
        graphs[way] = folder / f"{way.replace(' ', '-')}.tflite"
        graphs[way].write_bytes(widen(source.read_bytes(), count))
    masks = {way: Int8Model(path).run for way, path in graphs.items()}
    return Network(
        variant.name,
        graphs,
        masks | {TAIL: _float_tail(source, folder), FLOAT: _float(variant.folder)},
    )


def _float_tail(source: Path, folder: Path) -> Masks:
    """The int8 network up to its mask layer, and that layer with its int8 weights in float: what 16 bits can reach."""
    from tinyprune.tflite import flatbuffer
    from tinyprune.tflite.interpreter import Int8Model

    path = folder / "without-mask-layer.tflite"
    path.write_bytes(cut(source.read_bytes(), WIDENED[MASK]))
    body, (_, kernel, bias) = (
        Int8Model(path),
        flatbuffer.read(source).operators[-WIDENED[MASK]].inputs,
    )
    weights, offset = (
        kernel.data.T * kernel.scale.astype(np.float64),
        bias.data * bias.scale.astype(np.float64),
    )
    return lambda features: (1 / (1 + np.exp(-(body.run(features) @ weights + offset)))).astype(
        np.float32
    )


def _float(variant: Path) -> Masks:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(variant / "model.keras")
    graph = tf.function(lambda features: model(features, training=False), reduce_retracing=True)
    return lambda features: graph(tf.constant(features[None])).numpy()[0]


def _check_exact(network: Network, scored: Any) -> None:
    """The 16-bit mask layer computes what the layer computes in float."""
    from tinyprune.audio import stft

    features = scored.frontend.features(stft.analyse(scored.mixtures[0].noisy))
    wide, exact = (network.masks[way](features) for way in (MASK, TAIL))
    np.testing.assert_allclose(wide, _within_range(exact, network.graphs[MASK]), atol=ROUNDING)


def _within_range(masks: Array, graph: Path) -> Array:
    """Masks whose argument is no further from 0 than the 16-bit argument of a graph can be."""
    from tinyprune.tflite import flatbuffer

    argument = flatbuffer.read(graph).operators[-1].inputs[0]
    largest = 32767 * float(argument.scale[0])
    return np.clip(masks, 1 / (1 + np.exp(largest)), 1 / (1 + np.exp(-largest)))


def _values(scored: Any, masks: Masks) -> Array:
    """The metrics of every mixture (n, metrics)."""
    from tinyprune.metrics.scoring import score_all

    enhanced = scored.enhance(lambda batch: np.stack([masks(features) for features in batch]))
    pairs = zip((mixture.clean for mixture in scored.mixtures), enhanced, strict=True)
    found = score_all(pairs, tuple(METRICS), len(enhanced))
    return np.array([[scores.get(metric, np.nan) for metric in METRICS] for scores in found])


def _means(name: str, values: Mapping[str, Array]) -> list[Case]:
    return [
        Case(f"{name}, {way}: {label}", unit, [round(float(mean), 5)])
        for way, found in values.items()
        for (label, unit), mean in zip(METRICS.values(), np.nanmean(found, axis=0), strict=True)
    ]


def _gains(name: str, values: Mapping[str, Array]) -> tuple[list[Check], list[str]]:
    """What each way gains over int8 on the same mixtures: the means, and a sentence with their 95 % intervals."""
    from tinyprune.metrics.statistics import estimates

    checks, notes = [], []
    for way in (way for way in values if way != INT8):
        found, parts = estimates(values[way] - values[INT8]), []
        for (label, unit), gain in zip(METRICS.values(), found, strict=True):
            checks.append(
                Check(
                    f"{name}, {way} - int8: {label}",
                    round(1000 * gain.mean, 3),
                    f"0.001 {unit}".strip(),
                )
            )
            parts.append(
                f"{label} {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] {unit}".strip()
            )
        notes.append(
            f"{name}, {way} - int8, mean of the paired differences [95 %]: {', '.join(parts)}"
        )
    return checks, notes


def _costs(network: Network, folder: Path) -> tuple[list[Case], list[Check]]:
    """What the graphs cost on each target, what 16 bits add, and how many operators stay on the CPU."""
    from tinyprune.npu import targets, vela

    chosen = TARGETS[: SIZES.accelerators or None]
    cases, checks, on_cpu = [], [], 0
    for target in (targets.resolve(npu, memory_mode=mode) for npu, mode in chosen):
        cycles = {}
        for way, path in network.graphs.items():
            report = vela.compile_tflite(path, target, folder / way / target.name).report
            on_cpu += len(report.cpu_operators)
            cycles[way] = report.cycles
            figures = {
                "cycles": report.cycles,
                "B flash": report.flash_bytes,
                "B SRAM": report.sram_bytes,
            }
            what = f"{network.name}, {way}, {target.name.removeprefix('ethos-')}"
            cases += [Case(what, unit, [value]) for unit, value in figures.items()]
        more = {way: 100 * (cycles[way] / cycles[INT8] - 1) for way in WIDENED}
        what = f"{network.name}, {target.name.removeprefix('ethos-')}: more cycles"
        checks += [Check(f"{what}, {way}", round(percent, 3), "%") for way, percent in more.items()]
    return cases, [*checks, Check(f"{network.name}: operators left to the CPU", on_cpu, "", 0)]
