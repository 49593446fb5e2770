"""Pruning to a budget in a training loop that is not tinyprune's."""

import keras
import numpy as np
import pytest

import tinyprune
from tinyprune.errors import UsageError

CLASSES, STEPS, BATCH = 3, 12, 16
#: 8x8 outputs of the stem, 3x3x3 inputs, 16 units; 3x3 outputs of the next, 3x3x16 inputs, 24.
MACS = 8 * 8 * 27 * 16 + 3 * 3 * 144 * 24 + 24 * CLASSES


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(4 * BATCH) % CLASSES
    pictures = rng.normal(0, 0.3, (len(labels), 8, 8, 3))
    pictures[np.arange(len(labels)), :, :, labels] += 1
    return pictures.astype(np.float32), labels


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="stem"),
            layers.Conv2D(24, 3, strides=2, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ],
        name="tiny",
    )


def trained(pruner: tinyprune.BudgetPruner, data) -> keras.Model:
    gated = pruner.prepare(data[0], steps=STEPS, batch_size=BATCH)
    gated.compile("adam", "sparse_categorical_crossentropy")
    epochs = STEPS * BATCH // len(data[0])
    gated.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[pruner.callback()])
    small = pruner.shrink()
    small.compile("adam", "sparse_categorical_crossentropy")
    small.fit(*data, batch_size=BATCH, epochs=1, verbose=0)
    return pruner.finalize()


def macs(model: keras.Model) -> int:
    stem, conv = model.get_layer("stem").filters, model.get_layer("conv").filters
    return 8 * 8 * 27 * stem + 3 * 3 * 9 * stem * conv + conv * CLASSES


@pytest.mark.slow
def test_the_network_keeps_its_budget(network, data):
    pruner = tinyprune.BudgetPruner(network, max_macs=MACS // 2, round_to=4)
    small = trained(pruner, data)
    assert macs(network) == MACS
    assert macs(small) <= MACS // 2
    assert small.get_layer("stem").filters % 4 == small.get_layer("conv").filters % 4 == 0
    assert type(small.get_layer("conv")) is keras.layers.Conv2D
    [line] = pruner.record.lines
    assert (line.name, line.before, line.expected) == ("MACs", MACS, macs(small))


@pytest.mark.slow
def test_the_budget_of_an_accelerator_is_kept_by_velas_figure(network, data, tmp_path):
    whole = tinyprune.export_int8(network, data[0], tmp_path / "whole.tflite")
    before = tinyprune.compile(whole.path).report.flash_bytes
    most = int(0.7 * before)
    pruner = tinyprune.BudgetPruner(network, max_flash=f"{most}B", npu="ethos-u55-128", round_to=4)
    small = tinyprune.export_int8(trained(pruner, data), data[0], tmp_path / "small.tflite")
    assert tinyprune.compile(small.path).report.flash_bytes <= 1.02 * most
    assert pruner.record.compilations or pruner.record.target


@pytest.mark.slow
def test_a_budget_that_is_kept_already_removes_nothing(network, data):
    pruner = tinyprune.BudgetPruner(network, max_macs=2 * MACS)
    assert macs(trained(pruner, data)) == MACS


def test_the_order_of_calls_is_told(network, data):
    pruner = tinyprune.BudgetPruner(network, max_macs=MACS // 2)
    with pytest.raises(UsageError, match="call prepare"):
        pruner.callback()
    pruner.prepare(data[0], steps=STEPS, batch_size=BATCH)
    with pytest.raises(UsageError, match=r"call shrink\(\)"):
        pruner.finalize()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "expected a limit"),
        ({"max_cycles": "200k"}, "give npu"),
        ({"max_flash": "100kb"}, "100kb"),
        ({"max_macs": "2M", "npu": "ethos-u55-127"}, "ethos-u55-128"),
        ({"max_macs": "2M", "exclude": ["nothing"]}, "no kernel is called 'nothing'"),
    ],
)
def test_wrong_settings_are_refused_at_once(network, settings, message):
    with pytest.raises(UsageError, match=message):
        tinyprune.BudgetPruner(network, **settings)


def test_a_budget_that_cannot_be_kept_is_told_before_the_training(network, data):
    pruner = tinyprune.BudgetPruner(network, max_macs=1000)
    with pytest.raises(UsageError, match="MACs"):
        pruner.prepare(data[0], steps=STEPS, batch_size=BATCH)
