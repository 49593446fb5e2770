import numpy as np

from tinyprune.data.keywords.recordings import one_second


def test_a_short_clip_is_put_in_the_middle():
    np.testing.assert_array_equal(
        one_second(np.ones(10_001, np.float32)), np.pad(np.ones(10_001), (2999, 3000))
    )


def test_of_a_long_clip_the_loudest_second_is_kept():
    long = np.concatenate([np.full(9_000, 0.1), np.full(16_000, 0.5), np.full(9_000, 0.1)]).astype(
        np.float32
    )
    np.testing.assert_array_equal(one_second(long), np.full(16_000, np.float32(0.5)))
