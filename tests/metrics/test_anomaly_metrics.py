import numpy as np
import pytest

from tinyprune.errors import TinypruneError
from tinyprune.metrics.anomaly import auc_of_scores, partial_auc

KINDS = np.array([0] * 10 + [1] * 2)


def test_a_perfect_ranking_has_both_areas_whole():
    scores = np.arange(12.0)
    assert auc_of_scores(KINDS, scores) == 1
    assert partial_auc(KINDS, scores) == pytest.approx(1)


def test_scores_that_say_nothing_are_chance():
    assert auc_of_scores(KINDS, np.ones(12)) == 0.5
    assert partial_auc(KINDS, np.ones(12)) == pytest.approx(0.5)


def test_only_what_few_false_alarms_find_counts():
    # one anomaly is above all normal clips, one below all: half of the hits at every rate of alarms
    scores = np.array([*range(1, 11), 11, 0], float)
    assert auc_of_scores(KINDS, scores) == 0.5
    # area 0.1 * 0.5, chance 0.1^2 / 2, perfect 0.1
    assert partial_auc(KINDS, scores) == pytest.approx((1 + (0.05 - 0.005) / (0.1 - 0.005)) / 2)


@pytest.mark.parametrize("kind", [0, 1])
def test_clips_of_one_kind_have_no_area(kind):
    with pytest.raises(TinypruneError, match="normal and anomalous clips"):
        partial_auc(np.full(3, kind), np.arange(3.0))
