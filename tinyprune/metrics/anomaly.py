"""Measures of how well scores tell what is anomalous from what is normal."""

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.errors import TinypruneError
from tinyprune.metrics.classification import auc

LOW_RATE = 0.1  # false alarms up to which the partial area counts


def partial_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve up to a rate of false alarms of 0.1, in [0, 1]; chance is 0.5.

    ``(1 + (A - a) / (b - a)) / 2`` with the area A, ``a = 0.1^2 / 2`` of chance and ``b = 0.1`` of
    a perfect ranking: McClish 1989, "Analyzing a Portion of the ROC Curve"; as DCASE 2020, task 2,
    has it (Koizumi et al., arXiv 2006.05822). Raises TinypruneError where all are of one kind.

    Args:
        labels: 1 for what is anomalous, else 0, (n,). scores: the more anomalous the higher, (n,).
    """
    false_alarms, hits = _roc(labels, scores)
    hits_at_end = float(np.interp(LOW_RATE, false_alarms, hits))
    below = false_alarms < LOW_RATE
    rates = np.append(false_alarms[below], LOW_RATE)
    heights = np.append(hits[below], hits_at_end)
    area = float(np.sum(np.diff(rates) * (heights[1:] + heights[:-1]) / 2))
    of_chance = LOW_RATE**2 / 2
    return (1 + (area - of_chance) / (LOW_RATE - of_chance)) / 2


def auc_of_scores(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the whole curve; arguments and errors as of :func:`partial_auc`."""
    return auc(labels, np.stack([-scores, scores], axis=1))


def _roc(labels: np.ndarray, scores: np.ndarray) -> tuple[Float64Array, Float64Array]:
    """Return rates of false alarms and of hits, (k,) each, from (0, 0) to (1, 1).

    Equal scores are one step of both.
    """
    order = np.argsort(-scores, kind="stable")
    is_hit = labels[order] > 0
    hits = np.cumsum(is_hit)
    if hits[-1] in (0, len(labels)):
        raise TinypruneError("the AUC needs normal and anomalous clips: all are of one kind")
    is_last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    false_alarms = np.cumsum(~is_hit)[is_last_of_equals]
    hits = hits[is_last_of_equals]
    return _rates(false_alarms), _rates(hits)


def _rates(counts: np.ndarray) -> Float64Array:
    """Return counts as fractions of the last one, with a 0 before them."""
    return np.concatenate([[0.0], counts / counts[-1]])
