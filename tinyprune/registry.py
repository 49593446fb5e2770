"""One page that names everything: tables ``name -> "module:attribute"``.

Listing a table costs nothing; the module behind a name is imported only when the name is used. To
register a thing, add one line here.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from tinyprune.errors import check_name


class Registry(Mapping[str, Any]):
    """A read-only mapping from a name to the object behind it, imported on first use.

    Attributes:
        kind: what the names stand for, as it appears in messages ("model", "structure", ...).
        targets: the table, name -> "module:attribute".
    """

    def __init__(self, kind: str, targets: dict[str, str]) -> None:
        self.kind = kind
        self.targets = targets

    def __getitem__(self, name: str) -> Any:
        """The object behind a name. Raises UsageError that lists the names that exist."""
        self.check(name)
        module, attribute = self.targets[name].split(":")
        return getattr(importlib.import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self.targets

    def __iter__(self) -> Iterator[str]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def check(self, name: str) -> str:
        """The name itself if it exists, without importing anything. Raises UsageError otherwise."""
        check_name(self.kind, name, self.targets)
        return name


MODELS = Registry(
    "model",
    {
        "tinylstm": "tinyprune.models.tinylstm:build",
        "tinygru": "tinyprune.models.tinygru:build",
        "crn": "tinyprune.models.crn:build",
        "ds_cnn": "tinyprune.models.ds_cnn:build",
        "ds_cnn_l": "tinyprune.models.ds_cnn:large",
        "kwt": "tinyprune.models.kwt:build",
        "resnet8": "tinyprune.models.resnet8:build",
        "mobilenet_v2": "tinyprune.models.mobilenet_v2:build",
        "mlp": "tinyprune.models.mlp:build",
        "conv1d": "tinyprune.models.conv1d:build",
        "autoencoder": "tinyprune.models.autoencoder:build",
    },
)

DATASETS = Registry(
    "dataset",
    {
        "synthetic-speech": "tinyprune.data.synthetic.corpus:load",
        "mixture": "tinyprune.data.speech.mixture:load",
        "paired": "tinyprune.data.speech.paired:load",
        "keywords": "tinyprune.data.keywords.dataset:load",
        "images": "tinyprune.data.images.dataset:load",
        "arrays": "tinyprune.data.arrays.dataset:load",
        "anomaly": "tinyprune.data.anomaly.dataset:load",
        "own": "tinyprune.tasks.own:load",
    },
)

STRUCTURES = Registry(
    "structure",
    {
        "weight": "tinyprune.sparsity.weight:Weight",
        "block": "tinyprune.sparsity.block:Block",
        "n:m": "tinyprune.sparsity.n_m:NOfM",
        "unit": "tinyprune.sparsity.unit:Unit",
        "low-rank": "tinyprune.sparsity.low_rank:LowRank",
    },
)

TASKS = Registry(
    "task",
    {
        "speech": "tinyprune.tasks.speech:Speech",
        "classification": "tinyprune.tasks.classification:Classification",
        "multilabel": "tinyprune.tasks.multilabel:MultiLabel",
        "regression": "tinyprune.tasks.regression:Regression",
        "reconstruction": "tinyprune.tasks.reconstruction:Reconstruction",
        "anomaly": "tinyprune.tasks.anomaly:Anomaly",
        "several": "tinyprune.tasks.several:Several",
        "own": "tinyprune.tasks.own:Own",
    },
)

LOSSES = Registry(
    "loss",
    {
        "si-sdr": "tinyprune.training.losses:si_sdr",
        "spectrum": "tinyprune.training.losses:spectrum",
        "combined": "tinyprune.training.losses:combined",
        "cross-entropy": "tinyprune.training.example_losses:cross_entropy",
        "focal": "tinyprune.training.example_losses:focal",
        "binary-cross-entropy": "tinyprune.training.example_losses:binary_cross_entropy",
        "binary-focal": "tinyprune.training.example_losses:binary_focal",
        "mse": "tinyprune.training.example_losses:mse",
        "mae": "tinyprune.training.example_losses:mae",
        "huber": "tinyprune.training.example_losses:huber",
    },
)

IMPORTANCES = Registry(
    "importance",
    {
        "l1": "tinyprune.sparsity.importance:l1",
        "l2": "tinyprune.sparsity.importance:l2",
        "taylor": "tinyprune.sparsity.importance:taylor",
        "relative": "tinyprune.sparsity.importance:relative",
        "lamp": "tinyprune.sparsity.importance:lamp",
    },
)

SCHEDULES = Registry(
    "schedule",
    {
        "polynomial": "tinyprune.sparsity.schedules:polynomial",
        "linear": "tinyprune.sparsity.schedules:linear",
        "constant": "tinyprune.sparsity.schedules:constant",
        "one-shot": "tinyprune.sparsity.schedules:one_shot",
    },
)

METRICS = Registry(
    "metric",
    {
        "si_sdr_db": "tinyprune.metrics.speech:si_sdr_db",
        "sdr_db": "tinyprune.metrics.speech:sdr_db",
        "seg_snr_db": "tinyprune.metrics.speech:seg_snr_db",
        "stoi": "tinyprune.metrics.intelligibility:stoi",
        "estoi": "tinyprune.metrics.intelligibility:estoi",
        "pesq_wb": "tinyprune.metrics.perceptual:pesq_wb",
        "pesq_nb": "tinyprune.metrics.perceptual:pesq_nb",
        "accuracy": "tinyprune.metrics.classification:accuracy",
        "auc": "tinyprune.metrics.classification:auc",
        "balanced_accuracy": "tinyprune.metrics.classification:balanced_accuracy",
        "f1": "tinyprune.metrics.classification:f1",
        "partial_auc": "tinyprune.metrics.anomaly:partial_auc",
        "mse": "tinyprune.metrics.numbers:mse",
        "mae": "tinyprune.metrics.numbers:mae",
        "r2": "tinyprune.metrics.numbers:r2",
        "mean_score": "tinyprune.metrics.several:mean_score",
    },
)
