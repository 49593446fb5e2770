"""The measurement of importances: which sparsities it takes."""

import argparse

import pytest

from benchmarks.quality.ranking import _sparsities
from benchmarks.shared.report import Unavailable


def test_sparsities_are_read_from_a_list():
    assert _sparsities(argparse.Namespace(sparsities="0.5,0.95")) == (0.5, 0.95)


@pytest.mark.parametrize("text", ["2", "0.5,", "half", "nan"])
def test_what_is_no_sparsity_is_named(text):
    with pytest.raises(Unavailable, match="is none: expected numbers like"):
        _sparsities(argparse.Namespace(sparsities=text))
