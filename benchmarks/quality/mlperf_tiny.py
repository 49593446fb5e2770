"""The four kinds of networks of MLPerf Tiny on raw inputs: which prunings keep the metric (long, by name).

Every variant is in a run folder, so a killed measurement goes on. A network can be measured again
by itself, ``--only resnet8``; all that have been measured are in the report.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from benchmarks.paper.rows import IMAGES, KEYWORDS
from benchmarks.shared import toys
from benchmarks.shared.budgets import SMOKE_EPOCHS, data_of, selected_names, share_data
from benchmarks.shared.environment import log_to_stderr
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.config import (
    AnomalyData,
    BudgetConfig,
    BudgetPruning,
    DataConfig,
    ImageData,
    MagnitudePruning,
    ModelConfig,
    RunConfig,
    TrainConfig,
    TrainedPruning,
)
from tinyprune.data.synthetic.machines import write_machines
from tinyprune.errors import CheckFailed
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.writing import write_arrays

FLOAT, DENSE, UNITS = "float32", "int8, dense", "units, half of the MACs"
TOY_EPOCHS = 2
#: A point of a metric that is a fraction.
POINT = 0.01
MOBILENET = "mobilenet_v1"
WEIGHT_DECAY = 1e-4
ALPHA = 0.25
PIXELS = 64
SPLITS = ("dev", "test")


@dataclass(frozen=True)
class Network:
    """A network of MLPerf Tiny.

    Attributes:
        model: as ``--model`` takes it.
        epochs, pruning: epochs of the baseline and of every pruning.
    """

    model: str
    epochs: int
    pruning: int


NETWORKS = {
    "ds_cnn": Network("ds_cnn", 100, 40),
    "autoencoder": Network("autoencoder", 40, 20),
    "resnet8": Network("resnet8", 40, 12),
    MOBILENET: Network(f"{__name__}:mobilenet", 40, 12),
}


@dataclass(frozen=True)
class Outcome:
    """One row of a network.

    Attributes:
        network: a key of NETWORKS.
        row: what was done to it.
        metric: of the scores.
        dev, test: scores of the int8 graph, or of the float network.
        zeros: fraction of the weights in the flatbuffer.
        refused: the message of a pruning that was refused, and has no scores.
    """

    network: str
    row: str
    metric: str
    dev: float = 0.0
    test: float = 0.0
    zeros: float = 0.0
    refused: str = ""


@dataclass(frozen=True)
class Measured:
    """All rows of a network, and a note. Written as one file, which later reports read."""

    note: str
    outcomes: list[Outcome]


def mobilenet() -> keras.Model:
    """MobileNet V1 of width 0.25 as Keras Applications builds it, with weight decay.

    Images (batch, 64, 64, 3) of raw pixels -> probabilities (batch, 10). Howard et al. 2017,
    "MobileNets", arXiv 1704.04861.
    """
    built = keras.applications.MobileNet(
        input_shape=(PIXELS, PIXELS, 3), alpha=ALPHA, weights=None, classes=10
    )
    decay = keras.regularizers.L2(WEIGHT_DECAY)
    for layer in built.layers:
        for name in ("kernel_regularizer", "depthwise_regularizer", "gamma_regularizer"):
            if hasattr(layer, name):
                setattr(layer, name, decay)
    # Regularizers take effect where a layer is built: the configuration builds them anew.
    return keras.Model.from_config(built.get_config())


def measure(options: argparse.Namespace) -> Report:
    """Train what is not trained yet and report every network that has been measured."""
    log_to_stderr()
    folder = options.results / "mlperf_tiny"
    for name in selected_names(options, NETWORKS, SIZES.mlperf_networks):
        write_json(folder / f"{name}.json", _Bench(name, options).measured())
    paths = [folder / f"{name}.json" for name in NETWORKS]
    known = [read_json(path, Measured) for path in paths if path.exists()]
    outcomes = [outcome for measured in known for outcome in measured.outcomes]
    print("\n".join(table(outcomes)), flush=True)
    return Report([*_cases(outcomes)], [*_checks(outcomes)], [measured.note for measured in known])


class _Bench:
    """The run folder of one network."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        from tinyprune.stages.run import Run
        from tinyprune.stages.train import train_baseline
        from tinyprune.storage.run_folder import Workspace

        network = NETWORKS[name]
        self.name = name
        epochs = network.epochs
        self.pruning_epochs = options.epochs or network.pruning
        if options.quick:
            epochs = self.pruning_epochs = SMOKE_EPOCHS if options.smoke else TOY_EPOCHS
        data, self.data_note = _raw_data(name, options)
        self.folder = options.work / f"mlperf-{name}-{data.name}-{epochs}-{self.pruning_epochs}"
        share_data(self.folder, options.work)
        train = TrainConfig(epochs=epochs, batch_size=8 if options.quick else 64)
        self.epochs = epochs
        model = network.model
        if options.smoke:
            model = toys.NETWORKS.get(model, model)
        train_baseline(self.folder, RunConfig(data, ModelConfig(model), train))
        self.run = Run(Workspace(self.folder))
        self.metric = self.run.task.default_metrics[0]

    def measured(self) -> Measured:
        """Return all rows, and a note on how they came to be."""
        outcomes = [self._baseline(FLOAT, "float"), self._baseline(DENSE, None)]
        outcomes += [self._pruned(row, config) for row, config in self._prunings()]
        note = (
            f"{self.name}: {self.epochs} float epochs, then {self.pruning_epochs} of every pruning, "
            f"jointly with int8, one seed; {self.data_note}; {self._dead_channels()} output "
            f"channels of the folded baseline have no weight above 1e-6"
        )
        return Measured(note, outcomes)

    def _prunings(self) -> Iterator[tuple[str, TrainedPruning]]:
        epochs = self.pruning_epochs
        for sparsity in SIZES.mlperf_sparsities:
            name = f"weight-{sparsity:.2f}"
            config = MagnitudePruning(name=name, sparsity=sparsity, epochs=epochs)
            yield f"weight, {sparsity:.0%}", config
        most = BudgetConfig(max_macs=str(int(self._macs() / 2)))
        yield UNITS, BudgetPruning(name="units-half", budget=most, epochs=epochs)

    def _baseline(self, row: str, form: str | None) -> Outcome:
        artifact = self._artifact("baseline") if form is None else None
        return self._scored(row, "baseline", form or self._form, artifact)

    def _pruned(self, row: str, config: TrainedPruning) -> Outcome:
        from tinyprune.stages.prune import prune_variants

        try:
            prune_variants(self.folder, [config])
        except CheckFailed as error:
            return Outcome(self.name, row, self.metric, refused=str(error))
        name = str(config.name)
        return self._scored(row, name, self._form, self._artifact(name))

    def _scored(
        self, row: str, variant: str, form: str, artifact: TFLiteArtifact | None
    ) -> Outcome:
        values = [self._quality(variant, form, split).metrics[self.metric] for split in SPLITS]
        zeros = 0.0
        if artifact:
            count = sum(tensor.zeros for tensor in artifact.tensors)
            zeros = count / sum(tensor.size for tensor in artifact.tensors)
        return Outcome(self.name, row, self.metric, *values, zeros=zeros)

    def _quality(self, variant: str, form: str, split: str) -> Quality:
        from tinyprune.metrics.scores import quality
        from tinyprune.stages.evaluate import evaluate_models
        from tinyprune.stages.model_reference import EvaluationRequest

        request = EvaluationRequest(split=split)
        scored = evaluate_models(self.run, [f"{variant}:{form}"], request)
        return quality(scored.models[0][0])

    @property
    def _form(self) -> str:
        return self.run.record.forms[0]

    def _artifact(self, variant: str) -> TFLiteArtifact:
        from tinyprune.stages.export import device_graph

        return device_graph(self.run, self.run.require(variant))

    def _macs(self) -> float:
        from benchmarks.shared.resources import counted

        return counted(self.run.load_network(self.run.baseline), None)["MACs"]

    def _dead_channels(self) -> int:
        from tinyprune.compress.fold import fold

        model = fold(self.run.load_network(self.run.baseline))
        dead = 0
        for layer in model.layers:
            kernels = [weight for weight in layer.weights if "kernel" in weight.path]
            for kernel in kernels:
                largest = np.abs(np.asarray(kernel)).reshape(-1, kernel.shape[-1]).max(axis=0)
                dead += int(np.count_nonzero(largest < 1e-6))
        return dead


def _raw_data(name: str, options: argparse.Namespace) -> tuple[DataConfig, str]:
    """Return the data of a network, not normalised, and a description."""
    if name == "autoencoder":
        folder = write_machines(options.work / "machines", seed=0)
        return AnomalyData(machines=str(folder.resolve())), "SYNTHETIC sounds of two machines"
    if name == "ds_cnn":
        return data_of(KEYWORDS, options)
    data, description = data_of(IMAGES, options)
    assert isinstance(data, ImageData)
    path = str(data.path)
    if name == MOBILENET:
        path = str(_enlarged(Path(path), options.work))
        description += f", enlarged to {PIXELS} x {PIXELS}"
    return ImageData(path=path, normalise="none", augment=data.augment), description


def _enlarged(path: Path, work: Path) -> Path:
    """Return a file of the same images, every pixel repeated."""
    enlarged = work.resolve() / f"{path.stem}-{PIXELS}.npz"
    if enlarged.exists():
        return enlarged
    with np.load(path) as arrays:
        content = {key: arrays[key] for key in arrays.files}
    for key, array in content.items():
        if array.ndim == 4:
            times = PIXELS // array.shape[1]
            content[key] = array.repeat(times, axis=1).repeat(times, axis=2)
    write_arrays(enlarged, content)
    return enlarged


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line per network and row: dev, test, and what is lost against float, in points."""
    yield f"{'network':<14}{'row':<26}{'zeros':>7}{'dev':>8}{'test':>8}{'lost dev':>10}{'lost test':>10}"
    for outcome in outcomes:
        start = f"{outcome.network:<14}{outcome.row:<26}"
        if outcome.refused:
            yield f"{start}refused: {outcome.refused}"
            continue
        lost = _lost(outcomes, outcome)
        scores = f"{outcome.zeros:>7.0%}{outcome.dev:>8.3f}{outcome.test:>8.3f}"
        yield f"{start}{scores}{lost[0] * 100:>10.1f}{lost[1] * 100:>10.1f}"


def _lost(outcomes: Sequence[Outcome], outcome: Outcome) -> tuple[float, float]:
    """What dev and test lost against the float network; negative: gained."""
    [base] = [one for one in outcomes if one.network == outcome.network and one.row == FLOAT]
    return base.dev - outcome.dev, base.test - outcome.test


def _cases(outcomes: Sequence[Outcome]) -> Iterator[Case]:
    for outcome in outcomes:
        if not outcome.refused:
            for split, score in zip(SPLITS, (outcome.dev, outcome.test), strict=True):
                what = f"{outcome.network}, {outcome.row}: {split}"
                yield Case(what, outcome.metric, [score])


def _checks(outcomes: Sequence[Outcome]) -> Iterator[Check]:
    """How many networks keep their metric within a point on test, row by row."""
    for row in dict.fromkeys(outcome.row for outcome in outcomes):
        found = [outcome for outcome in outcomes if outcome.row == row]
        scored = [outcome for outcome in found if not outcome.refused]
        kept = sum(_lost(outcomes, outcome)[1] <= POINT for outcome in scored)
        yield Check(f"{row}: networks within a point on test", kept, f"of {len(found)}")
