"""Importances by sparsity: quality on dev, trained and without training, on several networks (long, by name).

Every cell is a variant of a run folder and a record beside it, so a killed measurement goes on. A
network can be measured again by itself: ``--only resnet8``; so can a sparsity: ``--sparsities 0.9``,
and a way: ``--ways lamp,taylor``, or of units ``--ways unit-lamp,unit-taylor``. What was refused has
no score: it is in no mean, and is counted below.
"""

import argparse
import collections
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH
from benchmarks.shared import toys
from benchmarks.shared.budgets import (
    QUICK_EPOCHS,
    SMOKE_EPOCHS,
    data_of,
    named,
    selected_names,
    share_data,
)
from benchmarks.shared.environment import log_to_stderr
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.config import (
    DataConfig,
    ImageData,
    MagnitudePruning,
    ModelConfig,
    OfflinePruning,
    RunConfig,
    TrainConfig,
)
from tinyprune.errors import CheckFailed
from tinyprune.storage.records import read_json, write_json

RAW_PIXELS = "resnet8_raw"
FLOOR = 0.25
NO_SCORE = 0.0  # of a network that was refused


@dataclass(frozen=True)
class Way:
    """A way to rank. Attributes: importance, scope, floor, structure: of the pruning."""

    importance: str
    scope: str = "global"
    floor: float = FLOOR
    structure: str = "weight"

    @property
    def label(self) -> str:
        """The way in tables and in names of variants."""
        parts = [self.importance]
        if self.structure != "weight":
            parts.insert(0, self.structure)
        if self.scope == "layer":
            parts.append("layer")
        if not self.floor:
            parts.append("no-floor")
        return "-".join(parts)

    @property
    def works_offline(self) -> bool:
        """True where it needs no training: units are removed, and gradients seen, in one only."""
        return self.structure != "unit" and self.importance != "taylor"


BEFORE = Way("l1", floor=0.0)  # the default up to 0.2
WAYS = (
    BEFORE,
    Way("l1"),
    Way("l1", "layer", 0.0),
    Way("relative"),
    Way("lamp"),
    Way("taylor"),
)
#: What is measured where ``--ways`` names it.
OF_OTHER_STRUCTURES = tuple(
    Way(importance, structure=structure)
    for structure in ("unit", "block", "2:4")
    for importance in ("lamp", "taylor")
)


@dataclass(frozen=True)
class Network:
    """A network to prune.

    Attributes:
        model: name in registry.MODELS.
        task: name of its data.
        epochs, pruning: epochs of the baseline and of every pruning.
        is_raw: whether its inputs are pixels from 0 to 255.
    """

    model: str
    task: str
    epochs: int
    pruning: int
    is_raw: bool = False


NETWORKS = {
    "ds_cnn": Network("ds_cnn", KEYWORDS, 40, 10),
    "resnet8": Network("resnet8", IMAGES, 16, 4),
    RAW_PIXELS: Network("resnet8", IMAGES, 16, 4, is_raw=True),
    "mobilenet_v2": Network("mobilenet_v2", IMAGES, 12, 4),
    "tinylstm": Network("tinylstm", SPEECH, 4, 2),
}


@dataclass(frozen=True)
class Cell:
    """The record of one pruning.

    Attributes:
        network, way: names.
        sparsity: final.
        seed: of the training; None: without training.
        score: of the int8 graph on dev; of no meaning where it was refused.
        metric: name of the score.
        zeros: fraction, in the flatbuffer.
        emptiest: kernel of which the smallest share is left.
        share: that is left of it.
        refused: the message of a pruning that was refused, and has no score.
    """

    network: str
    way: str
    sparsity: float
    seed: int | None
    score: float
    metric: str
    zeros: float = 0.0
    emptiest: str = ""
    share: float = 1.0
    refused: str = ""


def measure(options: argparse.Namespace) -> Report:
    """Train the baselines and measure the cells that are not there yet."""
    log_to_stderr()
    cells: list[Cell] = []
    notes = []
    for name in selected_names(options, NETWORKS, SIZES.ranked_networks):
        bench = _Bench(name, options)
        notes.append(bench.describe())
        cells += bench.cells()
    print("\n".join(table(cells)), flush=True)
    return Report([*_cases(cells)], [*_checks(cells)], notes)


class _Bench:
    """The baseline of a network and the prunings that are made of it."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        from tinyprune.stages.run import Run
        from tinyprune.stages.train import train_baseline
        from tinyprune.storage.run_folder import Workspace

        network = NETWORKS[name]
        if options.quick:
            epochs = SMOKE_EPOCHS if options.smoke else QUICK_EPOCHS
            network = replace(network, epochs=epochs, pruning=epochs)
        self.name = name
        self.network = replace(network, pruning=options.epochs or network.pruning)
        self.seeds = options.seeds
        self.sparsities = _sparsities(options)
        self.ways = _ways(options)
        data, self._data = data_of(network.task, options)
        self.folder = options.work / f"ranking-{name}-{data.name}-{network.epochs}"
        share_data(self.folder, options.work)
        train = TrainConfig(epochs=network.epochs, batch_size=8 if options.quick else 64)
        model = network.model
        if options.smoke:
            model = toys.NETWORKS.get(model, model)
        config = RunConfig(_with_pixels(data, network), ModelConfig(model), train)
        train_baseline(self.folder, config)
        self.run = Run(Workspace(self.folder))
        self.form = self.run.record.forms[0]

    def describe(self) -> str:
        """Return a note: epochs, data, and what the dense int8 network has on dev."""
        from tinyprune.stages.export import device_quality

        quality = device_quality(self.run, self.run.baseline)
        metric = self.run.record.metric
        return (
            f"{self.name}: {self.network.epochs} float epochs, then {self.network.pruning} of every "
            f"pruning; {self._data}; dense int8 without training: {quality.metrics[metric]:.3f}"
        )

    def cells(self) -> Iterator[Cell]:
        """Yield all cells, those without training first, then seed by seed."""
        trainings = [None, *range(self.seeds)]
        for seed in trainings:
            for sparsity in self.sparsities:
                for way in self.ways:
                    if seed is not None or way.works_offline:
                        yield self._cell(way, sparsity, seed)

    def _cell(self, way: Way, sparsity: float, seed: int | None) -> Cell:
        """Return a cell, from its record if there is one."""
        training = "offline" if seed is None else f"{self.network.pruning}-epochs-seed-{seed}"
        variant = f"{way.label}-{sparsity:.2f}-{training}".replace(":", "-")
        record = self.folder / "cells" / f"{variant}.json"
        if not record.exists():
            write_json(record, self._pruned(variant, way, sparsity, seed))
        return read_json(record, Cell)

    def _pruned(self, variant: str, way: Way, sparsity: float, seed: int | None) -> Cell:
        from tinyprune.stages.offline import prune_offline
        from tinyprune.stages.prune import prune_variants

        ranking = {
            "structure": way.structure,
            "importance": way.importance,
            "scope": way.scope,
            "floor": way.floor,
        }
        cell = Cell(self.name, way.label, sparsity, seed, NO_SCORE, self.run.record.metric)
        try:
            if seed is None:
                config = OfflinePruning(name=variant, sparsity=sparsity, **ranking)
                graph = self.run.baseline.folder / f"{self.form}.tflite"
                prune_offline(self.folder, graph, config, None)
            else:
                epochs = self.network.pruning
                prune_variants(
                    self.folder,
                    [
                        MagnitudePruning(
                            name=variant, sparsity=sparsity, epochs=epochs, seed=seed, **ranking
                        )
                    ],
                )
        except CheckFailed as error:
            return replace(cell, refused=str(error))
        return self._scored(cell, self.folder / "variants" / variant)

    def _scored(self, cell: Cell, folder: Path) -> Cell:
        qualities = read_json(folder / "quality.json", list[Quality])
        [quality] = [one for one in qualities if one.form == self.form]
        tensors = read_json(folder / f"{self.form}.json", TFLiteArtifact).tensors
        emptiest = max(tensors, key=lambda tensor: tensor.zeros / tensor.size)
        zeros = sum(tensor.zeros for tensor in tensors) / sum(tensor.size for tensor in tensors)
        return replace(
            cell,
            score=quality.metrics[cell.metric],
            zeros=zeros,
            emptiest=emptiest.name,
            share=1 - emptiest.zeros / emptiest.size,
        )


def _sparsities(options: argparse.Namespace) -> tuple[float, ...]:
    """Return the sparsities that are asked for. Raises Unavailable for what is none."""
    if not options.sparsities:
        return SIZES.ranked_sparsities
    numbers = []
    for text in options.sparsities.split(","):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < 1:
            raise Unavailable(f"--sparsities: '{text}' is none: expected numbers like 0.5,0.9")
        numbers.append(number)
    return tuple(numbers)


def _ways(options: argparse.Namespace) -> tuple[Way, ...]:
    """Return the ways that are asked for. Raises Unavailable for what is none."""
    ways = {way.label: way for way in (*WAYS, *OF_OTHER_STRUCTURES)}
    if not options.ways:
        return WAYS[: SIZES.ranked_ways]
    return tuple(ways[name] for name in named("--ways", options.ways, ways))


def _with_pixels(data: DataConfig, network: Network) -> DataConfig:
    """The data of a network, as pixels from 0 to 255 where it wants them."""
    if network.is_raw and isinstance(data, ImageData):
        return replace(data, normalise="none")
    return data


def _groups(cells: Sequence[Cell]) -> dict[tuple[str, bool], list[Cell]]:
    """The cells of each network, with training and without."""
    groups: dict[tuple[str, bool], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.network, cell.seed is not None), []).append(cell)
    return groups


def _mean(cells: Sequence[Cell], way: str, sparsity: float | None = None) -> float | None:
    """The mean score of a way, at one sparsity or over all."""
    of_way = [cell for cell in cells if cell.way == way and not cell.refused]
    found = [cell.score for cell in of_way if sparsity in (None, cell.sparsity)]
    return statistics.mean(found) if found else None


def table(cells: Sequence[Cell]) -> Iterator[str]:
    """Lines: a block per network, trained or not, a line per way, a column per sparsity."""
    for (network, is_trained), group in _groups(cells).items():
        levels = sorted({cell.sparsity for cell in group})
        kind = "trained" if is_trained else "without training"
        heads = "".join(f"{level:>9.2f}" for level in levels)
        yield f"{f'{network}, {kind}, {group[0].metric}':<44}{heads}{'mean':>9}"
        for way in dict.fromkeys(cell.way for cell in group):
            means = [_mean(group, way, level) for level in [*levels, None]]
            texts = ["-" if mean is None else f"{mean:.3f}" for mean in means]
            yield f"  {way:<42}" + "".join(f"{text:>9}" for text in texts)
        refused = [cell for cell in group if cell.refused]
        if refused:
            yield f"  refused: {_counted(refused)}"


def _counted(refused: Sequence[Cell]) -> str:
    """Return how many prunings were refused of each way and sparsity: ``l1 at 0.95 (2)``."""
    numbers = collections.Counter(f"{cell.way} at {cell.sparsity:.2f}" for cell in refused)
    return ", ".join(f"{what} ({number})" for what, number in numbers.items())


def _cases(cells: Sequence[Cell]) -> Iterator[Case]:
    for (network, is_trained), group in _groups(cells).items():
        kind = "" if is_trained else ", untrained"
        for sparsity in sorted({cell.sparsity for cell in group}):
            for way in dict.fromkeys(cell.way for cell in group):
                found = [c for c in group if c.way == way and c.sparsity == sparsity]
                scores = [cell.score for cell in found if not cell.refused]
                what = f"{network}{kind}, {sparsity:.2f}, {way}"
                if scores:
                    yield Case(what, group[0].metric, scores)


def _checks(cells: Sequence[Cell]) -> Iterator[Check]:
    """For each network, how far every way is from the first one, over what neither was refused at."""
    for (network, is_trained), group in _groups(cells).items():
        kind = "" if is_trained else ", untrained"
        first, *others = dict.fromkeys(cell.way for cell in group)
        for way in others:
            differences = _differences(group, way, first)
            if differences:
                what = f"{network}{kind}: {way} - {first}"
                yield Check(what, round(statistics.mean(differences), 6), group[0].metric)


def _differences(cells: Sequence[Cell], way: str, other: str) -> list[float]:
    """Return how far a way is from another one, for each sparsity and seed that both have a score at."""
    scores = {(c.way, c.sparsity, c.seed): c.score for c in cells if not c.refused}
    places = dict.fromkeys((cell.sparsity, cell.seed) for cell in cells)
    return [
        scores[way, *place] - scores[other, *place]
        for place in places
        if (way, *place) in scores and (other, *place) in scores
    ]
