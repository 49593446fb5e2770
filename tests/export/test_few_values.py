"""Few values that were learned, read from the flatbuffer: the converter finds the same integers."""

import numpy as np
import pytest

from tests.compress.test_palette_updater import (
    cell_lstm_network,
    conv_network,
    gru_network,
    lstm_network,
    network,
)
from tinyprune.compress.fold import fold
from tinyprune.export.matching import read_kernels
from tinyprune.export.tflite import export
from tinyprune.tflite.flatbuffer import read
from tinyprune.training.compression import ScheduledMasks

STEPS = 4
GATES = {"lstm": 4}


@pytest.mark.slow
@pytest.mark.parametrize(("values", "sparsity"), [(6, 0.5), (3, 0.7), (8, 0.0)])
@pytest.mark.parametrize("build", [conv_network, lstm_network, gru_network, cell_lstm_network])
def test_a_matrix_of_the_file_has_as_many_values_as_were_learned(build, values, sparsity, tmp_path):
    learned = network(build, sparsity=sparsity, clusters=values)
    masks = ScheduledMasks(learned.updater(STEPS), palettes=learned.palettes)
    for step in range(STEPS):
        masks.before_step(step)
    pruned = learned.finish()
    is_sequence = build is not conv_network
    shape = [16 if size is None else size for size in pruned.model.input_shape]
    calibration = np.random.default_rng(0).normal(size=shape[is_sequence:]).astype(np.float32)
    path = tmp_path / "a.tflite"
    model = fold(pruned.model)
    frames = 1 if is_sequence else None
    export(model, frames, calibration, pruned.masks, path, learned.plan.few_values)
    for key, kernel in read_kernels(read(path), model).items():
        layer, _, _ = key.partition("/")
        for matrix in np.split(kernel, GATES.get(layer, 1), axis=-1):
            assert len(np.unique(matrix)) <= values
