"""Measures of how well scores tell classes apart."""

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.errors import TinypruneError


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return scores (n, classes) as probabilities: as they are, or their softmax if they are none.

    A softmax in int8 sums to about 1. Scores (n, 1) become those of two classes.
    """
    scores = by_class(scores)
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=0.1):
        return scores
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def by_class(outputs: np.ndarray) -> np.ndarray:
    """Return outputs (n, classes) as they are; of one unit (n, 1), the chances (n, 2) of two.

    The unit is the probability of the second class, or its log-odds where one of the values is
    below 0 or above 1.
    """
    if outputs.shape[1] != 1:
        return outputs
    chances = label_probabilities(outputs)
    return np.concatenate([1 - chances, chances], axis=1)


def label_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return scores (n, labels) as probabilities: as they are, or their sigmoid."""
    if ((scores >= 0) & (scores <= 1)).all():
        return scores
    return 1 / (1 + np.exp(-scores))


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Fraction, in [0, 1], of examples whose highest score is that of their class.

    ``mean(argmax(scores) == label)``.

    Args:
        labels: classes (n,). scores: (n, classes); of equal scores the first counts.
    """
    return float(np.mean(np.argmax(scores, axis=1) == labels))


def balanced_accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean over the classes of the fraction of their examples that are recognised, in [0, 1].

    A class with few examples counts as much as one with many. Classes without examples are left
    out. Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".

    Args:
        labels: classes (n,). scores: (n, classes).
    """
    right = np.argmax(scores, axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean over the classes of ``2 TP / (2 TP + FP + FN)``, in [0, 1] (macro F1).

    A class that neither occurs nor is given is left out. Sokolova and Lapalme 2009, "A systematic
    analysis of performance measures for classification tasks".

    Args:
        labels: classes (n,), or (n, labels) of 0 and 1.
        scores: (n, classes), or probabilities (n, labels), which say yes from 0.5 on.
    """
    own = membership(labels, scores.shape[1])
    given = scores >= 0.5
    if labels.ndim == 1:
        given = membership(np.argmax(scores, axis=1), scores.shape[1])
    hits = np.sum(own & given, axis=0)
    total = own.sum(axis=0) + given.sum(axis=0)
    occurs = total > 0
    if occurs.any():
        return float(np.mean(2 * hits[occurs] / total[occurs]))
    return 0.0


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, in [0, 1], each class against the rest.

    The average over the classes that occur. For one class ``(R - p (p + 1) / 2) / (p q)``: p
    examples of it, q others, R the sum of the ranks of its examples among all scores of that class;
    equal scores share their mean rank, so a tie counts one half. Hanley and McNeil 1982, "The
    meaning and use of the area under a receiver operating characteristic (ROC) curve"; the average
    as in Fawcett 2006, "An introduction to ROC analysis". Raises TinypruneError where all examples
    are of one class.

    Args:
        labels: classes (n,), or (n, labels) of 0 and 1. scores: (n, classes).
    """
    own = membership(labels, scores.shape[1])
    positives = own.sum(axis=0).astype(np.float64)
    present = (positives > 0) & (positives < len(labels))
    if not present.any():
        raise TinypruneError(
            "the AUC needs examples of at least two classes: all labels are the same"
        )
    own = own[:, present]
    positives = positives[present]
    ranks = np.stack([_mean_ranks(of_class) for of_class in scores[:, present].T], axis=1)
    rank_sums = np.sum(ranks * own, axis=0) - positives * (positives + 1) / 2
    areas = rank_sums / (positives * (len(labels) - positives))
    return float(areas.mean())


def _mean_ranks(values: np.ndarray) -> Float64Array:
    """Return the ranks (n,) of numbers (n,), from 1; equal ones share the mean of theirs.

    Where one is NaN, they have none: NaN.
    """
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts - 1) / 2
    return means[number]


def accuracy_of_each(labels: np.ndarray, scores: np.ndarray) -> Float64Array:
    """Return the accuracy of each example (n,): 0 or 1, of several labels the right fraction.

    Args:
        labels: classes (n,), or (n, labels) of 0 and 1.
        scores: (n, classes), or probabilities (n, labels), which say yes from 0.5 on.
    """
    if labels.ndim == 1:
        return (np.argmax(scores, axis=1) == labels).astype(np.float64)
    return np.mean((scores >= 0.5) == (labels > 0), axis=1)


def membership(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return truth values (n, classes): whether an example is of a class.

    ``labels``: classes (n,), or 0 and 1 already, (n, classes).
    """
    if labels.ndim == 2:
        return labels > 0
    return labels[:, None] == np.arange(classes)
