"""The arrays of the convolution measurements, here and in the process of the Keras 2 opponent.

NumPy only, so that both processes make the same of it.
"""

import numpy as np

from benchmarks.shared.sizes import SIZES

BATCH, WARM, STEPS = SIZES.batch, SIZES.warm_steps, SIZES.labelled_steps
#: Network -> the shape of its inputs and its number of classes, as in MLPerf Tiny.
SHAPES = {"ds_cnn": ((49, 10, 1), 12), "resnet8": ((32, 32, 3), 10)}
#: Network -> what it is built with besides.
OPTIONS: dict[str, dict[str, int]] = {"ds_cnn": {"blocks": SIZES.ds_cnn_blocks}, "resnet8": {}}
#: Network -> optimizer steps of a pruning on the real data.
PRUNING_STEPS = {"ds_cnn": 60 * 13, "resnet8": 30 * 72}
SPARSITY = 0.8


def examples(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of one short epoch.

    They are noise, which costs a network as much time as anything else.
    """
    shape, classes = SHAPES[name]
    rng = np.random.default_rng(0)
    count = (WARM + STEPS + 1) * BATCH
    return rng.standard_normal((count, *shape), np.float32), rng.integers(0, classes, count)


def first_step(end_step: int) -> int:
    """Return the number of the first step.

    Masks still move in half of the steps that count, up to ``end_step``.
    """
    return end_step - WARM - STEPS // 2
