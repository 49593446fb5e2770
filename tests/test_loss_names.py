from tinyprune.config import LOSSES


def test_a_recipe_accepts_exactly_the_losses_that_exist():
    from tinyprune.training import losses

    assert set(LOSSES) == set(losses.LOSSES)
