import numpy as np
import pytest

from tinyprune.errors import TinypruneError
from tinyprune.metrics.classification import accuracy, auc, balanced_accuracy, f1
from tinyprune.metrics.examples import CLASSES
from tinyprune.metrics.examples import LABELS as LABELS_OF

BOTH = ("accuracy", "auc")
LABELS = np.array([0, 1, 2, 1])
SCORES = np.array([[3, 1, 2], [1, 3, 2], [2, 3, 1], [0, 5, 1]], float)  # the third is taken for a 1


def counted_auc(labels, scores):
    """Of all pairs of one of the class and one of the rest: how often the first has the higher score, ties half."""
    areas = []
    for label in np.unique(labels):
        own, rest = scores[labels == label, label], scores[labels != label, label]
        areas.append(np.mean([(a > b) + 0.5 * (a == b) for a in own for b in rest]))
    return np.mean(areas)


def test_accuracy_is_the_fraction_of_highest_scores_in_place():
    assert accuracy(LABELS, SCORES) == 3 / 4


def test_auc_of_an_example_counted_by_hand():
    """Class 0: 3 > 1, 2, 0. Class 1: 3 and 5 against 1 and 3, one tie of four. Class 2: 1 against 2, 2, 1."""
    assert auc(LABELS, SCORES) == pytest.approx((3 / 3 + 3.5 / 4 + 0.5 / 3) / 3)


@pytest.mark.parametrize("levels", [2, 5, 256])
@pytest.mark.parametrize("seed", range(3))
def test_auc_counts_every_pair_with_ties(levels, seed):
    rng = np.random.default_rng(seed)
    labels, scores = (
        rng.integers(0, 4, 60),
        rng.integers(-levels // 2, levels // 2, (60, 4)).astype(np.int8),
    )
    assert auc(labels, scores) == pytest.approx(counted_auc(labels, scores), abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "expected"), [(np.eye(3), 1), (1 - np.eye(3), 0), (np.ones((3, 3)), 0.5)]
)
def test_extremes(scores, expected):
    assert auc(np.arange(3), scores) == expected


def test_a_monotone_change_of_the_scores_does_not_matter():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, 50), rng.normal(size=(50, 3))
    assert auc(labels, np.exp(scores)) == auc(labels, scores)


def test_a_class_that_does_not_occur_is_left_out():
    labels, scores = np.array([0, 1, 0, 1]), np.random.default_rng(0).normal(size=(4, 5))
    assert auc(labels, scores) == auc(labels, scores[:, :2])


def test_one_class_alone_has_no_auc():
    with pytest.raises(TinypruneError, match="at least two classes"):
        auc(np.zeros(3, int), np.ones((3, 2)))


def test_examples_have_their_accuracy_and_all_together_the_auc():
    items, whole = CLASSES.score(LABELS, SCORES, BOTH)
    assert items == [{"accuracy": 1.0}, {"accuracy": 1.0}, {"accuracy": 0.0}, {"accuracy": 1.0}]
    assert whole == {"auc": auc(LABELS, SCORES)}


def test_scores_that_are_not_finite_are_left_out():
    scores = np.vstack([SCORES, [[np.nan, 0, 0], [0, np.inf, 0]]])
    items, whole = CLASSES.score(np.append(LABELS, [1, 2]), scores, BOTH)
    assert items[4:] == [{}, {}]
    assert whole == {"auc": auc(LABELS, SCORES)}


def test_one_class_alone_has_an_accuracy():
    items, whole = CLASSES.score(np.ones(4, int), SCORES, BOTH)
    assert [item["accuracy"] for item in items] == [0.0, 1.0, 1.0, 1.0]
    assert whole == {}


def test_nothing_has_no_metrics():
    assert CLASSES.score(LABELS[:0], SCORES[:0], BOTH) == ([], {})


def test_balanced_accuracy_and_f1_by_hand():
    # classes 0 and 1 are right; the one example of class 2 is taken for a 1
    assert balanced_accuracy(LABELS, SCORES) == pytest.approx((1 + 1 + 0) / 3)
    # per class 2 TP / (2 TP + FP + FN): 2/2, 4/(4 + 1), 0/1
    assert f1(LABELS, SCORES) == pytest.approx((1 + 4 / 5 + 0) / 3)


def test_several_labels_have_the_same_metrics_label_by_label():
    labels = np.array([[1, 0], [1, 1], [0, 0]])
    chances = np.array([[0.9, 0.6], [0.4, 0.7], [0.1, 0.2]])
    items, whole = LABELS_OF.score(labels, chances, ("accuracy", "f1", "auc"))
    assert [item["accuracy"] for item in items] == [0.5, 0.5, 1.0]
    assert whole["f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert whole["auc"] == 1.0
