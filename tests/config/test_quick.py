"""A fifth of the epochs, for a first look."""

import pytest

from tinyprune.cli.prunings import prunings
from tinyprune.config import RunConfig
from tinyprune.config.recipe import quickened, with_overrides
from tinyprune.config.settings import quick_epochs


@pytest.mark.parametrize(("epochs", "left"), [(60, 12), (7, 2), (3, 2), (1, 1), (0, 0)])
def test_a_fifth_is_left_and_two_at_least(epochs, left):
    assert quick_epochs(epochs) == left


def test_a_quick_pruning_has_its_epochs_and_is_like_any_other_then():
    [pruning] = prunings({"quick": True}, [], [])
    [same] = prunings({"epochs": 8}, [], [])
    assert pruning.with_epochs(40) == same
    [given] = prunings({"quick": True, "epochs": 20}, [], [])
    assert given.with_epochs(40).epochs == 4
    assert same.with_epochs(40) == same


def test_a_quick_recipe_is_quick_everywhere():
    config = quickened(with_overrides(RunConfig(prune=tuple(prunings({}, [], ["unit"]))), []))
    assert config.train.quick
    assert [pruning.quick for pruning in config.prune] == [True, True]
