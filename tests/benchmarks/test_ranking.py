"""The measurement of importances: which sparsities and ways it takes, and what it makes of refusals."""

import argparse

import pytest

from benchmarks.quality.ranking import Cell, _differences, _sparsities, _ways, table
from benchmarks.shared.report import Unavailable


def test_sparsities_are_read_from_a_list():
    assert _sparsities(argparse.Namespace(sparsities="0.5,0.95")) == (0.5, 0.95)


@pytest.mark.parametrize("text", ["2", "0.5,", "half", "nan"])
def test_what_is_no_sparsity_is_named(text):
    with pytest.raises(Unavailable, match="is none: expected numbers like"):
        _sparsities(argparse.Namespace(sparsities=text))


def test_ways_are_read_from_a_list():
    ways = _ways(argparse.Namespace(ways="lamp,l1-layer-no-floor"))
    assert [way.label for way in ways] == ["lamp", "l1-layer-no-floor"]
    with pytest.raises(Unavailable, match="--ways: there is no 'size': expected some of l1-no"):
        _ways(argparse.Namespace(ways="size"))


def test_what_was_refused_is_in_no_mean_and_is_counted():
    cells = [
        Cell("tinylstm", "l1", 0.5, 0, 6.0, "si_sdr_db"),
        Cell("tinylstm", "l1", 0.9, 0, 0.0, "si_sdr_db", refused="one constant output"),
        Cell("tinylstm", "lamp", 0.5, 0, 6.5, "si_sdr_db"),
        Cell("tinylstm", "lamp", 0.9, 0, 5.5, "si_sdr_db"),
    ]
    assert _differences(cells, "lamp", "l1") == [0.5]  # 6.5 - 6.0; at 0.9 there is no score of l1
    _, l1, lamp, refused = table(cells)
    assert l1.split() == ["l1", "6.000", "-", "6.000"]
    assert lamp.split() == ["lamp", "6.500", "5.500", "6.000"]
    assert refused.strip() == "refused: l1 at 0.90 (1)"
