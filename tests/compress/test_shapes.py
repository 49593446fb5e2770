"""The shape of a network says what the smaller network of removed units really has: parameters, MACs, peak memory."""

from collections import defaultdict

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.quick import quick
from tests.support.small_models import NETWORKS, case
from tinyprune.compress import graph
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.remove import remove
from tinyprune.compress.shapes import network_shape
from tinyprune.compress.streaming import streaming
from tinyprune.models import resnet8
from tinyprune.sparsity.resource_model import ResourceModel

SMALL = ("tinylstm", "ds_cnn", "resnet8")


def counted_bytes(model):
    """int8 kernels, int32 biases."""
    with_kernels = [
        layer
        for layer in model.layers
        if hasattr(layer, "kernel") or isinstance(layer, layers.LSTM)
    ]
    return sum(
        sum(int(np.prod(kernel.shape)) for kernel in kernels(layer).values())
        + 4 * (int(np.prod(bias(layer).shape)) if bias(layer) is not None else 0)
        for layer in with_kernels
    )


def counted_macs(model):
    """Multiplications, layer by layer, of one call (one frame)."""
    total = 0
    for node in graph.nodes(model):
        layer = node.operation
        reads, makes = (
            [x or 1 for x in tensors[0].shape[1:]] for tensors in (node.input_tensors, node.outputs)
        )
        if isinstance(layer, layers.LSTM):
            total += 4 * layer.units * (reads[-1] + layer.units)
        elif isinstance(layer, layers.DepthwiseConv2D):
            total += int(np.prod(layer.kernel_size) * np.prod(makes))
        elif isinstance(layer, layers.Conv2DTranspose):
            total += int(np.prod(layer.kernel_size) * np.prod(reads) * makes[-1])
        elif isinstance(layer, layers.Conv1D | layers.Conv2D):
            total += int(np.prod(layer.kernel_size) * reads[-1] * np.prod(makes))
        elif isinstance(layer, layers.Dense):
            total += reads[-1] * int(np.prod(makes))
    return total


def most_alive(steps, size, alive, outputs):
    """The most bytes at once if each tensor is freed after its last reader."""
    readers, peak = defaultdict(int), 0
    for reads, _ in steps:
        for tensor in set(reads):
            readers[tensor] += 1
    for reads, made in steps:
        alive.add(made)
        peak = max(peak, sum(size[tensor] for tensor in alive))
        for tensor in set(reads):
            readers[tensor] -= 1
            if not readers[tensor] and tensor not in outputs:
                alive.remove(tensor)
    return peak


def brute_force_peak(model):
    """Walks the one-call network with reference counts, as an interpreter frees its tensors."""
    size, place = {}, {}
    functional = graph.functional(model)

    def of(tensor):
        return place[id(tensor)]

    def add(tensor):
        place[id(tensor)] = id(tensor)
        size[id(tensor)] = int(np.prod([x or 1 for x in tensor.shape[1:]]))

    steps = []  # (tensors that are read, tensor that is made)
    for tensor in functional.inputs:
        add(tensor)
    previous = None
    for node in graph.nodes(model):
        layer, (made, *_) = node.operation, node.outputs
        is_view = isinstance(layer, layers.Flatten | layers.Reshape | layers.Dropout)
        is_fused = isinstance(layer, layers.ReLU) and isinstance(previous, layers.Add)
        previous = layer
        if is_view or is_fused:
            place[id(made)] = of(node.input_tensors[0])
            continue
        add(made)
        steps.append(([of(tensor) for tensor in node.input_tensors], of(made)))
        if getattr(getattr(layer, "activation", None), "__name__", "") in ("sigmoid", "softmax"):
            after = f"{id(made)} activated"
            size[after] = size[id(made)]
            steps.append(([id(made)], after))
            place[id(made)] = after
    outputs = {of(tensor) for tensor in functional.outputs}
    lstm = sum(
        3 * layer.units for layer in model.layers if isinstance(layer, layers.LSTM)
    )  # int8 state, int16 cell
    return lstm + most_alive(steps, size, {of(tensor) for tensor in functional.inputs}, outputs)


@pytest.mark.parametrize("seed", quick({"0": 0, "1": 1}, "0"))
@pytest.mark.parametrize("name", quick(list(NETWORKS), *SMALL))
def test_resources_are_those_of_the_smaller_network(name, seed):
    model, units, keep, kept, frames = case(name, seed)
    counts = ResourceModel(network_shape(model, units, frames))
    smaller = remove(model, units, keep)
    one_call = streaming(smaller)[0] if frames else smaller
    assert counts.size_bytes(kept) == counted_bytes(smaller)
    assert counts.size_bytes(kept) == smaller.count_params() + 3 * sum(
        int(np.prod(bias(layer).shape)) for layer in smaller.layers if hasattr(layer, "use_bias")
    )
    assert counts.macs(kept) == counted_macs(one_call)
    assert counts.peak_bytes(kept) == brute_force_peak(one_call)


@pytest.mark.parametrize("name", quick(list(NETWORKS), *SMALL))
def test_the_shape_of_the_smaller_network_is_the_shape_with_fewer_units(name):
    model, units, keep, kept, frames = case(name, 3)
    smaller = remove(model, units, keep)
    whole, small = (
        network_shape(model, units, frames),
        network_shape(smaller, coupling(smaller), frames),
    )
    assert [op.kind for op in whole.operators] == [op.kind for op in small.operators]
    made = [
        [op.channels_out.count(k) for op in shape.operators]
        for shape, k in ((whole, kept), (small, small.whole))
    ]
    assert made[0] == made[1]


def test_real_sizes():
    model = fold(resnet8.build())
    shape = network_shape(model, coupling(model))
    counts = ResourceModel(shape)
    biases = 16 * 3 + 32 * 3 + 64 * 3 + 10
    assert counts.size_bytes(shape.whole) == model.count_params() + 3 * biases
    # three feature maps of the first stack: what the sum reads twice and makes once
    assert counts.peak_bytes(shape.whole) == 3 * 32 * 32 * 16
    assert counts.macs(shape.whole) == counted_macs(model)


@pytest.mark.parametrize("heads", [4, 1])
def test_products_of_attention_are_multiplied_too(heads):
    inputs = keras.Input((6, 16))
    attended = layers.MultiHeadAttention(4, 8)(inputs, inputs)
    model = fold(keras.Model(inputs, attended))
    units = coupling(model)
    shape = network_shape(model, units)
    kept = shape.whole
    kept[0] = heads
    # queries, keys, values and what reads them; scores and their product with the values
    dense = 4 * 6 * 16 * (8 * heads)
    products = 2 * heads * 6 * 6 * 8
    assert ResourceModel(shape).macs(kept) == dense + products


def test_flattened_and_concatenated_units_count_several_times():
    x = inputs = keras.Input((4, 4, 2))
    x = layers.Concatenate()([layers.Conv2D(5, 1, name="conv")(x), inputs])
    model = keras.Model(inputs, layers.Dense(3, name="dense")(layers.Flatten()(x)))
    shape = network_shape(model, coupling(model))
    (dense,) = (op for op in shape.operators if op.name == "dense")
    assert dense.channels_in.fixed == 4 * 4 * 2
    assert dense.channels_in.per_set.tolist() == [4 * 4 * 1]


def test_units_that_are_there_a_different_number_of_times_are_refused():
    from tinyprune.errors import UsageError
    from tinyprune.sparsity.network_shape import channels
    from tinyprune.sparsity.unit_sets import UnitSet

    sets = (UnitSet("conv", 0, 2),)
    assert channels(np.array([0, 1, -1, 0, 1]), sets).count(np.array([2.0])) == 1 + 2 * 2
    with pytest.raises(UsageError, match="'conv' are 1 to 2 times"):
        channels(np.array([0, 1, 1]), sets)
