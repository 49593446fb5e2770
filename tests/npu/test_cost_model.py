"""The cost model of the NPU: its form, its constants, and that it says what Vela says of networks it has not seen."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.npu import targets
from tinyprune.npu.cost_constants import (
    DATA,
    Constants,
    constants_of,
    from_json,
    known_targets,
)
from tinyprune.npu.cost_features import Features, stored
from tinyprune.npu.cost_model import CostModel, predict
from tinyprune.npu.fusion import fused
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape, TensorShape
from tinyprune.sparsity.resource_model import NUMPY
from tinyprune.sparsity.unit_sets import UnitSet

TARGET = targets.resolve("ethos-u55-128")
SETS = (UnitSet("conv", 0, 64),)
FIXED, UNITS = Channels(3, np.array([0.0])), Channels(0, np.array([1.0]))
SQUARE = (16, 16)


def network(*kinds):
    """A 3x3 convolution of 3 channels to one set, then operators of these kinds that keep the shape."""
    tensors = [TensorShape("in", SQUARE, FIXED), TensorShape("conv", SQUARE, UNITS)]
    operators = [
        OperatorShape(
            "conv", "conv", (0,), (1,), FIXED, UNITS, SQUARE, SQUARE, (3, 3), has_bias=True
        )
    ]
    for kind in kinds:
        number = len(tensors)
        tensors.append(TensorShape(kind, SQUARE, UNITS))
        read = (number - 1,) if kind != "add" else (number - 1, number - 2)
        window = (3, 3) if kind in ("conv", "depthwise") else (1, 1)
        operators.append(
            OperatorShape(kind, kind, read, (number,), UNITS, UNITS, SQUARE, SQUARE, window)
        )
    return NetworkShape(tuple(tensors), tuple(operators), SETS, (0,), (len(tensors) - 1,))


def constants(**changes):
    """A model in which every term is its first column."""
    terms = {
        "compute": (1, 0, 0, 0, 0, 0),
        "sram": (0,) * 4,
        "slow": (0,) * 4,
        "encoding": (1, 0, 0, 0),
    }
    fields = {
        "micro_blocks": ((1, 2, 8),),
        "kinds": dict.fromkeys(("conv", "tiled", "depthwise", "matmul"), terms),
    }
    fields |= {
        "output_cycles": 0.0,
        "scale_cycles": 0.0,
        "tables": {},
        "staged": {},
        "weights_in_sram": False,
    }
    fields |= {"buffer_part": 0.5, "buffer_bytes": 0.0, "cell_bytes": 0.0, "sram_bytes": 0.0}
    return Constants(**(fields | changes))


def test_steps_are_those_of_the_better_traversal():
    features = Features(network("conv", "depthwise"), [(1, 2, 8)], NUMPY).at(np.array([40.0]))
    positions = 16 * 16 // 2
    assert features["steps"].tolist() == [
        4 * 3 * 1 * (40 // 8) * positions,  # 3 channels: 8 of them and 4 of 9 taps at a time
        min(4 * 9 * 2, 4 * 3 * 5) * (40 // 8) * positions,
        4 * 3 * (40 // 8) * positions,
    ]
    assert features["scales"].tolist() == [10 * 40] * 3
    assert features["weights"].tolist() == [9 * 3 * 40, 9 * 40 * 40, 9 * 40]


def attention():
    """Scores of up to four heads of 16 channels at 49 positions, and their softmax."""
    heads = (UnitSet("query", 0, 4, width=16),)
    row = (1, 49)
    queries, scores = (Channels(0, np.array([size])) for size in (16.0, 49.0))
    tensors = [TensorShape(name, row, queries) for name in ("query", "key")]
    tensors += [TensorShape(name, row, scores, head_channels=49) for name in ("scores", "softmax")]
    product = OperatorShape(
        "scores", "matmul", (0, 1), (2,), queries, scores, row, row, head_channels=(16, 49)
    )
    softmax = OperatorShape(
        "softmax", "softmax", (2,), (3,), scores, scores, row, row, head_channels=(49, 49)
    )
    return NetworkShape(tuple(tensors), (product, softmax), heads, (0, 1), (3,))


@pytest.mark.parametrize("heads", [1.0, 3.0])
def test_heads_of_a_product_come_one_after_the_other_and_those_of_a_softmax_side_by_side(heads):
    features = Features(attention(), [(1, 2, 8)], NUMPY).at(np.array([heads]))
    # 16 of 32 channels in 4 cycles, 7 times 8 outputs, 25 pairs of positions
    assert features["steps"][0] == 4 * 7 * 25
    assert features["products"].tolist() == [49 * 16 * 49, 0]
    assert features["repeats"].tolist() == [heads, 1]
    assert features["elements"][1] == heads * 49 * 64  # 49 channels are 4 bricks of 16
    found = predict(attention(), np.array([heads]), TARGET, constants())
    assert found.cycles == heads * 4 * 7 * 25
    assert found.macs == heads * 49 * 16 * 49


@pytest.mark.parametrize("heads", [1.0, 3.0])
def test_what_vela_writes_out_inside_of_attention_counts(heads):
    """The sizes are those of ``vela --verbose-allocation``."""
    rows = heads * 49
    u55 = CostModel(attention(), TARGET, NUMPY, constants())
    kept = np.array([heads])
    # 32 bits per number, rows of 49 in bricks: exp(x) of 64, a copied reciprocal of 64, three
    # numbers per row. The scores and the output are not there then, only the two products' ends.
    scratch = 4 * rows * (64 + 65 + 1)
    own = 2 * rows * 64
    output = -(-rows * 49 // 16) * 16  # an output of the network as it is, rounded up to 16 bytes
    assert u55.sram_bytes(kept) == rows * 64 + output + scratch - own
    assert u55.table_bytes(kept) == 4 * rows * 49  # zeros to add
    u85 = CostModel(
        attention(), targets.resolve("ethos-u85-256"), NUMPY, constants(micro_blocks=((1, 2, 16),))
    )
    # Ethos-U85 copies nothing along rows, but sums exp(x) after a shift: 49 as they are
    scratch = 4 * rows * (64 + 49 + 1)
    assert u85.sram_bytes(kept) == rows * 64 + output + scratch - own
    assert u85.table_bytes(kept) == 0


def test_softmaxes_of_one_size_share_their_zeros():
    once = attention()
    product, softmax = once.operators
    both = (UnitSet("query", 0, 4, width=16), UnitSet("other", 4, 4, width=16))
    first = Channels(0, np.array([49.0, 0.0]))
    second = Channels(0, np.array([0.0, 49.0]))
    operators = tuple(
        replace(softmax, name=name, channels_in=channels, channels_out=channels)
        for name, channels in (("one", first), ("two", second))
    )
    tensors = tuple(replace(tensor, channels=first) for tensor in once.tensors)
    twice = NetworkShape(tensors, operators, both, (0, 1), (3,))
    model = CostModel(twice, TARGET, NUMPY, constants())
    assert model.table_bytes(np.array([3.0, 3.0])) == 4 * 3 * 49 * 49
    assert model.table_bytes(np.array([3.0, 2.0])) == 4 * (3 + 2) * 49 * 49


def test_flash_and_cycles_of_plain_constants():
    found = predict(network(), np.array([20.0]), TARGET, constants(tables={}))
    assert found.encoded_weight_bytes == 9 * 3 * 20
    assert found.scale_bytes == 208  # 10 * 20, rounded up to 16
    assert found.flash_bytes == 9 * 3 * 20 + 208
    assert found.cycles == 4 * 3 * 3 * (16 * 16 // 2)  # 20 channels are 3 slices of 8
    assert found.macs == 9 * 3 * 20 * 256


def test_arena_rounds_channels_up_to_bricks():
    for units, channels in ((20.0, 32), (5.0, 5), (16.0, 16)):
        model = CostModel(network("conv"), TARGET, NUMPY, constants())
        # the last one is an output of the network, as it is
        assert model.sram_bytes(np.array([units])) == 256 * channels + 256 * units
    assert stored(np.array([1.0, 7.0, 8.0, 17.0]), NUMPY).tolist() == [1, 7, 16, 32]


def test_weights_in_sram_and_copies_of_weights_count():
    plain = CostModel(network("conv"), TARGET, NUMPY, constants())
    kept = np.array([32.0])
    inside = CostModel(network("conv"), TARGET, NUMPY, constants(weights_in_sram=True))
    assert inside.sram_bytes(kept) == plain.sram_bytes(kept) + plain.flash_bytes(kept)
    staged = CostModel(
        network("conv"), TARGET, NUMPY, constants(staged={"tiled": 1.0}, buffer_part=1.0)
    )
    assert staged.sram_bytes(kept) == plain.sram_bytes(kept) + 9 * 32 * 32 + 320
    small = CostModel(network("conv"), TARGET, NUMPY, constants(sram_bytes=1024.0))
    assert small.sram_bytes(kept) == 1024


def test_zeros_take_the_bits_that_tell_them_from_the_rest():
    dense = predict(network(), np.array([20.0]), TARGET, constants()).encoded_weight_bytes
    weights = 9 * 3 * 20
    assert dense == weights
    half = predict(network(), np.array([20.0]), TARGET, constants(), {"conv/kernel": 0.5})
    # 1 bit for each weight says whether it is zero; a dense kernel has 2 % zeros, which take 0.141
    # bits of its 8
    some = -0.02 * np.log2(0.02) - 0.98 * np.log2(0.98)
    assert half.encoded_weight_bytes == pytest.approx(weights * (1 + 0.5 * (8 - some) / 0.98) / 8)
    assert half.scale_bytes == 208
    full = predict(network(), np.array([20.0]), TARGET, constants(), {"conv/kernel": 1.0})
    assert full.encoded_weight_bytes == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "zeros", [None, {}, {"other/kernel": 0.9}, {"conv/kernel": 0.0}, {"conv/kernel": 0.02}]
)
def test_what_nobody_pruned_costs_what_it_did(zeros):
    before = predict(network("conv"), np.array([20.0]), TARGET)
    after = predict(network("conv"), np.array([20.0]), TARGET, zeros=zeros)
    for name in ("flash_bytes", "encoded_weight_bytes", "sram_bytes", "cycles"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-12)


def test_zeros_save_traffic_and_no_computing():
    terms = {
        "compute": (0, 0, 1, 0, 0, 0),
        "sram": (0,) * 4,
        "slow": (0,) * 4,
        "encoding": (1, 0, 0, 0),
    }
    computing = constants(kinds={"tiled": terms})
    streaming = constants(kinds={"tiled": {**terms, "compute": (0,) * 6, "slow": (1, 0, 0, 0)}})
    kept, pruned = np.array([20.0]), {"conv/kernel": 0.9}
    for values, saves in ((computing, False), (streaming, True)):
        before, after = (
            predict(network(), kept, TARGET, values, zeros).cycles for zeros in (None, pruned)
        )
        assert (after < before) == saves
    assert after < 0.2 * before


def test_fusion():
    padded = fused(network("pad", "conv", "activation"))
    assert [op.kind for op in padded.operators] == ["conv", "conv"]
    assert padded.outputs == padded.operators[-1].outputs
    summed = fused(network("conv", "add", "conv"))
    assert summed.operators[2].outputs[0] in summed.operators[2].inputs  # it overwrites one of them


def test_unknown_targets_are_refused():
    with pytest.raises(
        UsageError, match="no cost model for ethos-u55-32/.*expected one of ethos-u55-128/"
    ):
        constants_of(targets.resolve("ethos-u55-32"))


def test_the_data_says_how_it_was_made_and_how_good_it_is():
    content = json.loads((Path(targets.__file__).parent / DATA).read_text(encoding="utf-8"))
    assert content["vela_version"] and content["operators_per_target"] > 100
    assert len(known_targets()) == 10
    medians = [what for what in content["errors"] if what.endswith("median")]
    assert len([what for what in medians if "attention" not in what]) == 10 * 3
    assert all(from_json(found).micro_blocks for found in content["targets"].values())


def test_weights_that_need_not_be_compressed_are_left_as_they_are_while_that_is_not_too_many():
    kept, fast = np.array([20.0]), constants(fast_weights=True)
    found = Features(network("conv", "depthwise"), [(1, 2, 8)], NUMPY).at(kept)
    # 9 taps are two fives, 3 and 20 channels read are 16 and 32, 20 made are 24
    assert found["fast"].tolist() == [24 * 10 * 16, 24 * 10 * 32, 0]
    assert found["can_be_fast"].tolist() == [1, 1, 0]
    first, second, own = 9 * 3 * 20, 9 * 20 * 20, 9 * 20
    left = 24 * 10 * 32 + 32
    assert 2.3 * first < 24 * 10 * 16 + 32  # so they are compressed
    assert left < 2.3 * second
    dense = predict(network("conv", "depthwise"), kept, TARGET, fast)
    assert dense.encoded_weight_bytes == first + left + own
    few, many = ({"conv/kernel": 0.0, "conv_1/kernel": zeros} for zeros in (0.1, 0.9))
    shape = network("conv", "depthwise")
    second_of = shape.operators[1]
    shape = replace(
        shape, operators=(shape.operators[0], replace(second_of, name="conv_1"), shape.operators[2])
    )
    assert predict(shape, kept, TARGET, fast, few).encoded_weight_bytes == pytest.approx(
        first + left + own
    )
    pruned = predict(shape, kept, TARGET, fast, many).encoded_weight_bytes
    assert pruned == pytest.approx(
        predict(shape, kept, TARGET, constants(), many).encoded_weight_bytes
    )
    assert pruned < first + 0.3 * second + own


@pytest.mark.parametrize(("channels", "can"), [(32, 0), (33, 1)])
def test_a_kernel_of_one_tap_needs_many_inputs_to_be_left_as_it_is(channels, can):
    reads, made = Channels(channels, np.zeros(0)), Channels(20, np.zeros(0))
    tensors = (TensorShape("in", (1, 1), reads), TensorShape("out", (1, 1), made))
    operator = OperatorShape("dense", "dense", (0,), (1,), reads, made, (1, 1), (1, 1))
    found = Features(NetworkShape(tensors, (operator,), (), (0,), (1,)), [(1, 2, 8)], NUMPY).at(
        np.zeros(0)
    )
    assert (found["fast"].tolist(), found["can_be_fast"].tolist()) == ([24 * 64], [can])


def test_a_transposed_convolution_has_a_kernel_for_each_phase_of_its_stride():
    units = Channels(64, np.zeros(0))
    tensors = (TensorShape("in", (4, 4), units), TensorShape("out", (8, 8), units))
    operator = OperatorShape("up", "transposed", (0,), (1,), units, units, (4, 4), (8, 8), (3, 3))
    found = Features(NetworkShape(tensors, (operator,), (), (0,), (1,)), [(1, 2, 8)], NUMPY).at(
        np.zeros(0)
    )
    assert found["fast"].tolist() == [64 * 64 * (5 + 5 + 5 + 1)]  # 2x2, 2x1, 1x2 and 1x1 taps


@pytest.mark.parametrize(
    ("npu", "mode"), [("ethos-u55-128", "Shared_Sram"), ("ethos-u85-256", "Sram_Only")]
)
def test_gradients_follow_the_model(npu, mode):
    tf = pytest.importorskip("tensorflow")
    from tinyprune.compress.arrays import tensors

    shape, target = network("depthwise", "conv"), targets.resolve(npu, memory_mode=mode)
    attended = CostModel(attention(), target, tensors(tau=1.0)).cycles(tf.constant([3.0]))
    expected = CostModel(attention(), target).cycles(np.array([3.0]))
    assert float(attended) == pytest.approx(float(expected), rel=1e-3)
    exact, soft = CostModel(shape, target), CostModel(shape, target, tensors(tau=1.0))
    for name in ("flash_bytes", "cycles", "sram_bytes"):
        kept = tf.Variable([30.0])
        with tf.GradientTape() as tape:
            value = getattr(soft, name)(kept)
        assert float(value) == pytest.approx(
            float(getattr(exact, name)(np.array([30.0]))), rel=1e-3
        )
        assert float(tape.gradient(value, kept)[0]) > 0


def test_zeros_are_for_tensors_too():
    tf = pytest.importorskip("tensorflow")
    from tinyprune.compress.arrays import tensors

    zeros, shape = {"conv/kernel": 0.8}, network("conv")
    exact, soft = (
        CostModel(shape, TARGET, zeros=zeros),
        CostModel(shape, TARGET, tensors(tau=1.0), zeros=zeros),
    )
    for name in ("flash_bytes", "cycles"):
        assert float(getattr(soft, name)(tf.constant([30.0]))) == pytest.approx(
            float(getattr(exact, name)(np.array([30.0]))), rel=1e-3
        )


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 16, 17, 2000])
def test_bricks_are_for_tensors_too(channels):
    tf = pytest.importorskip("tensorflow")
    from tinyprune.compress.arrays import tensors

    expected = channels if channels < 8 else -(-channels // 16) * 16
    assert stored(np.array([float(channels)]), NUMPY).tolist() == [expected]
    assert stored(tf.constant([float(channels)]), tensors(tau=1.0)).numpy().tolist() == [expected]


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
@pytest.mark.parametrize("mode", ["Shared_Sram", "Sram_Only"])
def test_vela_says_the_same_of_ds_cnn(npu, mode, tmp_path):
    from tinyprune.compress.coupling import coupling
    from tinyprune.compress.fold import fold
    from tinyprune.compress.shapes import network_shape
    from tinyprune.export.tflite import export
    from tinyprune.models import ds_cnn
    from tinyprune.npu.vela import compile_tflite

    model, target = fold(ds_cnn.build()), targets.resolve(npu, memory_mode=mode)
    shape = network_shape(model, coupling(model))
    calibration = np.random.default_rng(0).standard_normal((4, 49, 10, 1), np.float32)
    source = export(model, None, calibration, {}, tmp_path / "ds_cnn.tflite").path
    report, found = (
        compile_tflite(source, target, tmp_path).report,
        predict(shape, shape.whole, target),
    )
    assert found.macs == pytest.approx(
        report.macs, rel=0.07
    )  # Vela counts pooling too, and on U85 a little less
    for name in ("cycles", "flash_bytes", "sram_bytes"):
        assert getattr(found, name) == pytest.approx(getattr(report, name), rel=0.25), name
