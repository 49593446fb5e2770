"""Measures of how well scores tell classes apart."""

import numpy as np

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
    are_chances = np.array_equal(outputs, outputs.clip(0, 1))
    chances = outputs if are_chances else 1 / (1 + np.exp(-outputs))
    return np.concatenate([1 - chances, chances], axis=1)


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Fraction, in [0, 1], of examples whose highest score is that of their class.

    ``mean(argmax(scores) == label)``.

    Args:
        labels: classes (n,). scores: (n, classes); of equal scores the first counts.
    """
    return float(np.mean(np.argmax(scores, axis=1) == labels))


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, in [0, 1], each class against the rest.

    The average over the classes that occur. For one class ``(R - p (p + 1) / 2) / (p q)``: p
    examples of it, q others, R the sum of the ranks of its examples among all scores of that class;
    equal scores share their mean rank, so a tie counts one half. Hanley and McNeil 1982, "The
    meaning and use of the area under a receiver operating characteristic (ROC) curve"; the average
    as in Fawcett 2006, "An introduction to ROC analysis". Raises TinypruneError where all examples
    are of one class.

    Args:
        labels: classes (n,). scores: (n, classes).
    """
    from scipy.stats import rankdata

    present = np.unique(labels)
    if len(present) < 2:
        raise TinypruneError(
            "the AUC needs examples of at least two classes: all labels are the same"
        )
    ranks = rankdata(scores[:, present], axis=0)
    own = labels[:, None] == present
    positives = own.sum(axis=0).astype(np.float64)
    rank_sums = np.sum(ranks * own, axis=0) - positives * (positives + 1) / 2
    areas = rank_sums / (positives * (len(labels) - positives))
    return float(areas.mean())


def score_examples(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Return the accuracy of each example, 0 or 1, and the AUC of all, as metric name -> value.

    An example with a score that is not finite has none and is left out of the AUC. A class that no
    example is of is left out too; with one class only there is no AUC.

    Args:
        labels: classes (n,). scores: (n, classes).
    """
    defined = np.isfinite(scores).all(axis=1)
    right = np.argmax(scores, axis=1) == labels
    items = []
    for hit, is_defined in zip(right, defined, strict=True):
        items.append({"accuracy": float(hit)} if is_defined else {})

    has_several_classes = len(np.unique(labels[defined])) > 1
    if not has_several_classes:
        return items, {}
    return items, {"auc": auc(labels[defined], scores[defined])}
