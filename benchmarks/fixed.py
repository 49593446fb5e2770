"""What the convolution measurements run on, here and in the process of the Keras 2 opponent: sizes, arrays, plans.

NumPy only, so that both processes make the same of it.
"""

import numpy as np

BATCH, WARM, STEPS = (
    64,
    3,
    40,
)  # of steps, those that do not count (the first one traces), and those that do
SIZES = {
    "ds_cnn": ((49, 10, 1), 12),
    "resnet8": ((32, 32, 3), 10),
}  # inputs and classes, as in MLPerf Tiny
WHOLE = {"ds_cnn": 60 * 13, "resnet8": 30 * 72}  # optimizer steps of a pruning on the real data
SPARSITY = 0.8


def examples(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of one short epoch: noise, which costs a network as much time as anything else."""
    (shape, classes), rng = SIZES[name], np.random.default_rng(0)
    count = (WARM + STEPS + 1) * BATCH
    return rng.standard_normal((count, *shape), np.float32), rng.integers(0, classes, count)


def first_step(end_step: int) -> int:
    """The number of the first step, so that masks still move in half of the steps that count, up to ``end_step``."""
    return end_step - WARM - STEPS // 2
