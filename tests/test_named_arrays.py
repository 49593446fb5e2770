import numpy as np

from tinyprune import named_arrays


def test_arrays_with_names_are_indexed_and_joined_as_one():
    whole = named_arrays.joined({"b": np.arange(6).reshape(3, 2), "a": np.float32([7, 8, 9])})
    assert whole.shape == (3,)
    assert whole.dtype.names == ("a", "b")
    assert whole[::2]["b"].tolist() == [[0, 1], [4, 5]]
    twice = np.concatenate([whole, whole[:1]])
    assert twice["a"].tolist() == [7, 8, 9, 7]
    doubled = named_arrays.each(lambda array: 2 * array, whole)
    assert doubled["b"].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert named_arrays.each(lambda array: 2 * array, np.ones(2)).tolist() == [2, 2]
