import numpy as np
import pytest

from tinyprune.data.synthetic.common import at_level


def test_level_is_met_unless_the_peak_forbids():
    tone = np.sin(np.arange(1600))
    assert at_level(tone, -20).std() == pytest.approx(0.1, rel=0.01)
    click = np.zeros(1600)
    click[3] = 0.2
    assert np.abs(at_level(click, -20)).max() == pytest.approx(0.95)
    assert not at_level(np.zeros(10), -20).any()
