"""The task of telling anomalous sounds from normal ones by the error of an autoencoder."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.data.anomaly.dataset import AnomalyDataset
from tinyprune.data.anomaly.device import DeviceLogMel, device_log_mel
from tinyprune.errors import TinypruneError
from tinyprune.metrics.anomaly import auc_of_scores, partial_auc
from tinyprune.metrics.numbers import mse
from tinyprune.metrics.scores import ItemScore, Scores
from tinyprune.progress import track
from tinyprune.tasks.reconstruction import SHARE, AutoencoderTask
from tinyprune.tasks.task import Forward

#: Metric of a machine -> its function of kinds and errors of clips.
OF_MACHINE = {"auc": auc_of_scores, "partial_auc": partial_auc}


class Anomaly(AutoencoderTask):
    """Anomaly detection: an autoencoder of normal sounds; what it gives back badly is anomalous.

    AUC and partial AUC of the error of a clip are those of each machine, and their mean. MSE is
    the mean of the errors of all clips. Epochs are chosen by the error of normal clips: anomalies
    are heard only when a network is scored.
    """

    name = "anomaly"
    metric = "auc"
    default_metrics = ("auc", "partial_auc", "mse")
    checked_metrics = ("auc", "partial_auc", "mse")

    dataset: AnomalyDataset

    def __init__(self, dataset: AnomalyDataset) -> None:
        """``dataset``: windows of normal sounds, and recordings to score."""
        super().__init__(dataset)
        clips = dataset.scored("dev")
        # Of few clips, two that lie on a border are more than a fiftieth.
        self.tolerance = max(0.02, 2 / len(clips))
        if len({clip.is_anomaly for clip in clips}) < 2:
            self.metric = "mse"

    def allowed_difference(self, value: float) -> float:
        """Return the tolerance in the AUC; without anomalies, a twentieth of the error."""
        return SHARE * value if self.metric == "mse" else self.tolerance

    def device_front_end(self, artifact: TFLiteArtifact) -> DeviceLogMel:
        """Return the front end of machine sounds for firmware."""
        return device_log_mel(self.dataset.frontend, artifact)

    @property
    def learned_metric(self) -> str:
        """The error, which needs no anomalies."""
        return "mse"

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Score each clip by the mean squared error over all of its windows.

        ``forward`` is from inputs (batch, features) to the same shape.
        """
        clips = self.dataset.scored(split)
        shown = track(clips, f"{model}: scoring {form}", len(clips)) if model else clips
        items = []
        errors = defaultdict(list)
        for clip in shown:
            windows = self.dataset.windows_of(clip)
            error = mse(windows, forward(windows))
            errors[clip.machine].append((clip.is_anomaly, error))
            values = {"mse": error} if np.isfinite(error) else {}
            items.append(ItemScore(clip.name, "", clip.machine, None, values))

        of_machines = {machine: _ranked(found, metrics) for machine, found in errors.items()}
        whole = _means(of_machines, metrics)
        return Scores(model, form, split, tuple(metrics), tuple(items), whole, of_machines)


def _ranked(found: Sequence[tuple[bool, float]], metrics: Sequence[str]) -> dict[str, float]:
    """Return the metrics of a machine, of (is an anomaly, error) of its clips, if it has both."""
    kinds = np.array([is_anomaly for is_anomaly, _ in found], np.int64)
    scores = np.array([error for _, error in found])
    values = {}
    for name, function in OF_MACHINE.items():
        if name in metrics:
            with suppress(TinypruneError):
                values[name] = function(kinds, np.nan_to_num(scores, nan=np.inf))
    return values


def _means(
    of_machines: Mapping[str, Mapping[str, float]], metrics: Sequence[str]
) -> dict[str, float]:
    """Return the mean of each metric over the machines that have it."""
    means = {}
    for name in metrics:
        values = [found[name] for found in of_machines.values() if name in found]
        if values:
            means[name] = float(np.mean(values))
    return means
