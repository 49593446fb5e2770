"""The metric of several outputs together."""

from collections.abc import Mapping

MEAN_SCORE = "mean_score"


def mean_score(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return ``sum(weight * score) / sum(weight)`` over the outputs.

    Args:
        scores: output -> its main metric, which is 1 at best. weights: output -> its weight.
    """
    total = sum(weights[name] * score for name, score in scores.items())
    return total / sum(weights[name] for name in scores)
