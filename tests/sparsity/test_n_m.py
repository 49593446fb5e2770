import numpy as np
import pytest

from tinyprune.npu import targets, vela
from tinyprune.sparsity.n_m import groups, protect

INF = np.inf


def test_every_weight_is_alone():
    np.testing.assert_array_equal(groups((2, 3), 2, 4), [[0, 1, 2], [3, 4, 5]])


def test_runs_lie_along_the_inputs_of_one_output():
    values = np.array([[1, 8], [2, 7], [3, 6], [4, 5]], float)
    expected = [[1, INF], [2, INF], [INF, 6], [INF, 5]]
    np.testing.assert_array_equal(protect(values.ravel(), (4, 2), 2, 4).reshape(4, 2), expected)


def test_runs_do_not_cross_positions_of_a_convolution():
    values = np.arange(1.0, 1 + 3 * 4).reshape(3, 1, 4, 1)
    expected = np.where(
        values % 4 == 0, INF, values
    )  # the largest of 4 inputs, at each of 3 positions
    np.testing.assert_array_equal(
        protect(values.ravel(), values.shape, 1, 4).reshape(values.shape), expected
    )


@pytest.mark.parametrize(
    ("inputs", "n", "m", "may_go"),
    [
        (8, 2, 4, 2 + 2),
        (7, 2, 4, 2 + 1),  # 3 left: 1 may go
        (6, 2, 4, 2 + 0),  # 2 left: they stay
        (7, 1, 4, 3 + 2),
        (3, 2, 4, 1),  # the first layer of a network that sees RGB
        (1, 2, 4, 0),  # depthwise
        (5, 2, 1000, 3),
    ],
)
def test_what_is_missing_of_the_last_run_counts_as_zeros(inputs, n, m, may_go):
    values = np.random.default_rng(0).random((2, inputs, 3), np.float32)
    found = protect(values.ravel(), values.shape, n, m).reshape(values.shape)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(found).sum(axis=1), np.full((2, 3), may_go))
    np.testing.assert_array_equal(found[np.isfinite(found)], values[np.isfinite(found)])


def test_long_runs_keep_their_largest():
    values = np.random.default_rng(0).permutation(300).astype(float)
    found = protect(values, (300, 1), 280, 300)
    np.testing.assert_array_equal(found, np.where(values >= 20, INF, values))


def test_among_equals_the_earlier_stays_and_the_input_is_left_alone():
    values = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(protect(values, (8, 1), 2, 4), [INF, INF, 1, 1, INF, INF, 0, 0])
    np.testing.assert_array_equal(values, [1, 1, 1, 1, 0, 2, 0, 0])


def test_vela_computes_2_4_along_the_inputs_faster_and_along_the_outputs_not(networks, tmp_path):
    """64 -> 64 channels, 3x3, on ethos-u85-256; Sram_Only, so that no bandwidth hides the cycles of the NPU."""
    import keras

    def halved(axis: int):
        def initial(shape, dtype=None):
            values = np.moveaxis(
                np.random.default_rng(0).normal(size=shape).astype(np.float32), axis, -2
            )
            stays = np.isinf(protect(np.abs(values).ravel(), values.shape, 2, 4)).reshape(
                values.shape
            )
            return np.moveaxis(values * stays, -2, axis)

        return initial

    initializers = {"dense": "glorot_uniform", "inputs": halved(2), "outputs": halved(3)}
    target = targets.resolve("ethos-u85-256", memory_mode="Sram_Only")
    cycles = {}
    for name, initializer in initializers.items():
        layers = [keras.layers.Conv2D(64, 3, padding="same", kernel_initializer=initializer)]
        source = networks._converted(f"2_4_{name}.tflite", (16, 16, 64), layers)
        cycles[name] = vela.compile_tflite(source, target, tmp_path / name).report.cycles_npu
    assert cycles["outputs"] == cycles["dense"]
    assert cycles["inputs"] < 0.55 * cycles["dense"]  # 26,128 of 51,472
