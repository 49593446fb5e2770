"""What kernels with blocks would cost."""

import keras
import pytest

from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.npu import targets
from tinyprune.stages.block_costs import _Cost, _operator, with_block_costs

U55 = targets.resolve("ethos-u55-128", memory_mode="Sram_Only")


def test_both_costs_are_said_where_lowering_pays():
    assert _Cost(5260.0, 1520.0).sentence == "1,520 cycles lowered, 5,260 dense"
    assert _Cost(5260.0, 5260.0).sentence == "stays dense: 5,260 cycles"


def test_a_layer_is_measured_with_the_positions_of_one_call():
    image = keras.Input((8, 6, 16))
    layer = keras.layers.Conv2D(24, 3, strides=2, padding="same")
    layer(image)
    found = _operator(layer, 4)
    assert (found.read, found.made) == ((1, 8, 6, 16), (1, 4, 3, 24))
    assert (found.strides, found.is_same) == ((2, 2), True)


def test_a_sequence_is_as_long_as_the_window():
    frames = keras.Input((None, 16))
    layer = keras.layers.Conv1D(24, 3, padding="causal")
    layer(frames)
    found = _operator(layer, 3)
    assert (found.read, found.made, found.is_same) == ((1, 1, 3, 16), (1, 1, 1, 24), False)


def test_other_structures_and_recurrent_layers_ask_nobody():
    features = keras.Input((None, 16))
    hidden = keras.layers.LSTM(16, return_sequences=True, name="lstm")(features)
    model = keras.Model(features, keras.layers.Dense(8, name="dense")(hidden))
    weights = plan(model, MagnitudePruning())
    assert with_block_costs(model, weights, U55) == weights
    blocks = plan(model, MagnitudePruning(structure="block", block_size="8x8", exclude=("dense",)))
    assert with_block_costs(model, blocks, U55) == blocks


@pytest.mark.slow
def test_vela_says_what_is_left_costs():
    features = keras.Input((256,))
    model = keras.Model(features, keras.layers.Dense(256, name="dense")(features))
    config = MagnitudePruning(structure="block", block_size="32x64", sparsity=0.8)
    [item] = with_block_costs(model, plan(model, config), U55).layers
    lowered, _, dense = item.note.partition(" cycles lowered, ")
    assert int(lowered.replace(",", "")) * 2 < int(dense.split()[0].replace(",", ""))
