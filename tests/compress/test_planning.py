import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.config import BudgetPruning, LayerRule, MagnitudePruning
from tinyprune.config.budget import BudgetConfig
from tinyprune.errors import UsageError
from tinyprune.models.tinylstm import build
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.weight import Weight

L = keras.layers
BANDS, UNITS, HIDDEN = 8, 6, 5


def lstms() -> keras.Model:
    return build((None, BANDS), BANDS, UNITS, HIDDEN)


def convolutions() -> keras.Model:
    """An image network with a kernel of each kind: 3 -> 8 -> 8 (depthwise) -> 16, added to a branch, -> 4 classes."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="stem")(inputs)
    y = L.DepthwiseConv2D(3, padding="same", activation="relu", name="depth")(x)
    y = L.Conv2D(16, 1, name="point")(y)
    z = L.Conv2D(16, 1, name="shortcut")(x)
    x = L.GlobalAveragePooling2D()(L.ReLU()(L.Add()([y, z])))
    return keras.Model(inputs, L.Dense(4, activation="softmax", name="classes")(x), name="images")


def planned(model: keras.Model, **config) -> PruningPlan:
    return plan(model, MagnitudePruning(**config))


def test_every_kernel_of_the_network_is_in_the_plan():
    found = planned(lstms())
    shapes = {
        "lstm_1/kernel": (BANDS, 4 * UNITS),
        "lstm_1/recurrent_kernel": (UNITS, 4 * UNITS),
        "lstm_2/kernel": (UNITS, 4 * UNITS),
        "lstm_2/recurrent_kernel": (UNITS, 4 * UNITS),
        "dense/kernel": (UNITS, HIDDEN),
        "mask/kernel": (HIDDEN, BANDS),
    }
    assert {item.key: item.shape for item in found.layers} == shapes
    assert [item.key for item in found.layers] == list(shapes)  # in the order of the network
    assert {item.key: item.groups for item in found.layers} == {
        key: rows * cols for key, (rows, cols) in shapes.items()
    }
    shape = (BANDS, 4 * UNITS)
    assert found.layers[0] == LayerPlan(
        "lstm_1", "kernel", shape, Weight(), "magnitude", BANDS * 4 * UNITS, 0.8, gates=4
    )
    assert (found.skipped, found.scope, found.schedule, found.sparsity) == (
        {},
        "global",
        "polynomial",
        0.8,
    )


def test_the_plan_says_what_the_configuration_does():
    config = MagnitudePruning(
        sparsity=0.5,
        importance="l2",
        scope="layer",
        schedule="linear",
        begin=3,
        end=9,
        update_every=2,
        round_to=4,
    )
    found = plan(lstms(), config)
    assert (found.sparsity, found.importance, found.scope, found.schedule) == (
        0.5,
        "l2",
        "layer",
        "linear",
    )
    assert (found.begin, found.end, found.update_every, found.round_to) == (3, 9, 2, 4)


def test_all_kinds_of_kernels_with_their_layouts():
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2DTranspose(4, 2, name="up")(
        L.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(inputs)
    )
    x = L.Conv1D(5, 3, name="line")(L.Reshape((7 * 7, 4))(x))
    found = planned(keras.Model(inputs, L.Dense(2, name="out")(x)))
    assert {item.key: (item.shape, item.layout, item.groups) for item in found.layers} == {
        "depth/kernel": ((3, 3, 3, 2), "depthwise", 3 * 3 * 3 * 2),
        "up/kernel": ((2, 2, 4, 6), "transposed", 2 * 2 * 4 * 6),
        "line/kernel": ((3, 4, 5), "standard", 3 * 4 * 5),
        "out/kernel": ((5, 2), "standard", 5 * 2),
    }


class Own(L.Dense):
    """A user's subclass."""


def test_layers_with_weights_but_no_kernel_that_is_known_are_left_alone_and_named():
    inputs = keras.Input((8,))
    x = L.LayerNormalization(name="ln")(L.Dense(4, name="k")(inputs))
    x = L.BatchNormalization(name="bn")(L.PReLU(name="slope")(x))
    x = L.Identity(name="nothing")(Own(3, name="own")(x))
    found = planned(fold(keras.Model(inputs, x)))
    assert [item.key for item in found.layers] == ["k/kernel"]
    assert found.skipped == {
        name: f"{kind} layers cannot be pruned: left as they are"
        for name, kind in {
            "ln_scale": "ChannelScale",
            "slope": "PReLU",
            "bn": "BatchNormalization",
            "own": "Own",
        }.items()
    }


# --- rules
# ------------------------------------------------------------------------------------------------------------


def test_excluded_kernels_are_skipped_by_layer_or_kernel_name_or_pattern():
    found = planned(lstms(), exclude=("mask", "lstm_*/recurrent_kernel"))
    assert [item.key for item in found.layers] == ["lstm_1/kernel", "lstm_2/kernel", "dense/kernel"]
    assert found.skipped == dict.fromkeys(
        ["lstm_1/recurrent_kernel", "lstm_2/recurrent_kernel", "mask/kernel"], "excluded"
    )


def test_rules_change_structure_size_and_sparsity_of_some():
    rules = (
        LayerRule("dense", sparsity=0.5),
        LayerRule("mask", skip=True),
        LayerRule("lstm_1/kernel", structure="2:4"),
        LayerRule("lstm_1", structure="block", block_size="3x4", sparsity=0.25),
    )
    found = planned(lstms(), layers=rules)
    assert {
        item.key: (item.structure.label, item.final_sparsity, item.groups) for item in found.layers
    } == {
        "lstm_1/kernel": ("2:4", 1 - 2 / 4, BANDS * 4 * UNITS),
        "lstm_1/recurrent_kernel": ("block 3x4", 0.25, (UNITS // 3) * 2),
        "lstm_2/kernel": ("weight", 0.8, UNITS * 4 * UNITS),
        "lstm_2/recurrent_kernel": ("weight", 0.8, UNITS * 4 * UNITS),
        "dense/kernel": ("weight", 0.5, UNITS * HIDDEN),
    }
    assert found.skipped == {"mask/kernel": "excluded"}  # 6 units: a block of 4 and one of 2


def test_of_several_rules_the_first_that_fits_counts_and_an_exclusion_before_all():
    rules = (
        LayerRule("dense", sparsity=0.1),
        LayerRule("*", sparsity=0.2),
        LayerRule("lstm_1", sparsity=0.3),
    )
    found = planned(lstms(), layers=rules, exclude=("lstm_2",))
    sparsities = {item.layer: item.final_sparsity for item in found.layers}
    assert sparsities == {"lstm_1": 0.2, "dense": 0.1, "mask": 0.2}


@pytest.mark.parametrize(
    "config",
    [
        {"exclude": ("lstm_9",)},
        {"layers": (LayerRule("lstm_9", sparsity=0.5),)},
        {"exclude": ("mask/bias", "lstm_9")},
    ],
    ids=["exclude", "rule", "kernel"],
)
def test_a_pattern_that_fits_nothing_is_an_error_that_lists_what_there_is(config):
    with pytest.raises(
        UsageError,
        match=r"^no kernel is called '(lstm_9|mask/bias)': the network has lstm_1/kernel, .*$",
    ):
        planned(lstms(), **config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"structure": "wait"}, "^unknown structure 'wait': did you mean 'weight'"),
        ({"structure": "4:2"}, "^structure '4:2' keeps 4 of 2 weights"),
        ({"structure": "block", "block_size": "16"}, "^block size '16' is not RxC"),
        ({"layers": (LayerRule("dense", structure="wait"),)}, "^unknown structure 'wait'"),
        ({"schedule": "linaer"}, "^unknown schedule 'linaer': did you mean 'linear'"),
        ({"importance": "l3"}, "^unknown importance 'l3'"),
    ],
)
def test_names_that_do_not_exist_are_refused_even_for_one_layer(config, message):
    with pytest.raises(UsageError, match=message):
        planned(lstms(), **config)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("importance", IMPORTANCES)
def test_all_names_that_exist_are_taken(schedule, importance):
    found = planned(lstms(), schedule=schedule, importance=importance)
    assert (found.schedule, found.importance) == (schedule, importance)


def test_a_model_with_nothing_to_prune_is_refused():
    inputs = keras.Input((4,))
    message = r"^model 'bare' has nothing to prune \(no Dense, convolution, LSTM or GRU layers\)$"
    with pytest.raises(UsageError, match=message):
        planned(keras.Model(inputs, L.ReLU()(inputs), name="bare"))


def test_a_model_of_which_all_is_left_alone_says_why():
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, L.Dense(2, name="out")(L.LayerNormalization(name="ln")(inputs)), name="odd"
    )
    with pytest.raises(
        UsageError,
        match=r"^model 'odd' has nothing to prune \(out/kernel: excluded; ln: Layer.*\)$",
    ):
        planned(model, exclude=("out",))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: L.RNN(L.SimpleRNNCell(4), name="odd"), "^RNN layer 'odd' is recurrent"),
        (lambda: L.LSTM(4, stateful=True, name="odd"), "^LSTM layer 'odd' sets stateful"),
    ],
    ids=["RNN", "LSTM"],
)
def test_what_cannot_be_trained_in_int8_has_no_plan(layer, message):
    inputs = keras.Input((5, 3), batch_size=1)
    with pytest.raises(UsageError, match=message):
        planned(keras.Model(inputs, L.Dense(2)(layer()(inputs))))


# --- blocks and n:m
# ---------------------------------------------------------------------------------------------------


def test_blocks_tile_the_matrix_of_inputs_and_outputs():
    found = planned(convolutions(), structure="block", block_size="2x8", exclude=("classes",))
    assert {item.key: (item.structure.label, item.groups) for item in found.layers} == {
        "stem/kernel": ("block 2x8", 2 * 1),  # 3 inputs: a whole tile and one of 1 input
        "point/kernel": ("block 2x8", 4 * 2),
        "shortcut/kernel": ("block 2x8", 4 * 2),
    }
    assert found.skipped["depth/kernel"].startswith("a block of 2x8 is larger")


def test_blocks_of_recurrent_layers_are_shared_by_the_gates():
    features = keras.Input((None, 16))
    model = keras.Model(features, L.LSTM(32, name="lstm")(features))
    kernel, recurrent = planned(model, structure="block", block_size="8x16").layers
    assert (kernel.groups, recurrent.groups) == (2 * 2, 4 * 2)
    ids = kernel.groups_of_weights()  # 16 x (4 * 32)
    np.testing.assert_array_equal(ids, np.tile(ids[:, :32], 4))


def test_blocks_that_are_not_set_are_those_of_the_target_where_there_are_enough():
    features = keras.Input((256,))
    hidden = L.Dense(256, name="large")(features)
    model = keras.Model(features, L.Dense(12, name="small")(hidden))
    found = plan(model, MagnitudePruning(structure="block"), "64x128")
    labels = {item.key: item.structure.label for item in found.layers}
    # 4 x 2 blocks of 64x128; 4 x 1 of 64x12, so 8 x 1 of 32x12.
    assert labels == {"large/kernel": "block 64x128", "small/kernel": "block 32x12"}
    one_each = plan(model, MagnitudePruning(structure="block", block_size="16x12"), "64x128")
    assert {item.structure.label for item in one_each.layers} == {"block 16x12"}


def test_a_kernel_smaller_than_a_block_is_skipped_and_says_so():
    found = planned(convolutions(), structure="block", block_size="16x4")
    assert [item.key for item in found.layers] == ["classes/kernel"]
    assert list(found.skipped) == [
        "stem/kernel",
        "depth/kernel",
        "point/kernel",
        "shortcut/kernel",
    ]
    assert found.skipped["point/kernel"] == (
        "a block of 16x4 is larger than the kernel of shape (1, 1, 8, 16), 8 inputs x 16 outputs: "
        "try 8x4 or smaller"
    )


def test_blocks_that_fit_no_kernel_are_an_error():
    with pytest.raises(
        UsageError,
        match=r"^model 'images' has nothing to prune \(stem/kernel: a block of 64x64 is la.*$",
    ):
        planned(convolutions(), structure="block", block_size="64x64")


def test_n_of_m_says_where_it_pads_and_skips_what_has_too_few_inputs():
    found = planned(convolutions(), structure="2:4")
    assert {item.key: item.note for item in found.layers} == {
        "stem/kernel": "last run of 3 inputs padded to 4",
        "point/kernel": "",
        "shortcut/kernel": "",
        "classes/kernel": "",
    }
    assert {(item.structure.label, item.final_sparsity) for item in found.layers} == {("2:4", 0.5)}
    assert found.skipped == {"depth/kernel": "1 input: no run of 4 to choose 2 of"}


def test_n_of_m_that_removes_nothing_anywhere_is_an_error():
    inputs = keras.Input((2,))
    with pytest.raises(
        UsageError,
        match=r"has nothing to prune \(out/kernel: 2 inputs: no run of 4 to choose 2 of\)$",
    ):
        planned(keras.Model(inputs, L.Dense(3, name="out")(inputs)), structure="2:4")


# --- units
# ------------------------------------------------------------------------------------------------------------


def test_units_are_counted_once_per_kernel_that_makes_them_and_outputs_are_fixed():
    found = planned(convolutions(), structure="unit", sparsity=0.5, round_to=4)
    assert {item.key: item.groups for item in found.layers} == {
        "stem/kernel": 8,
        "depth/kernel": 8,  # the stem's
        "point/kernel": 16,
        "shortcut/kernel": 16,  # added to those of "point"
    }
    reason = "its outputs are outputs of the network, or feed something that needs all of them"
    assert found.skipped == {"classes/kernel": reason}


def test_units_that_rounding_would_keep_are_skipped_and_the_option_is_named():
    found = planned(convolutions(), structure="unit", sparsity=0.5)
    assert [item.key for item in found.layers] == ["point/kernel", "shortcut/kernel"]
    reason = "8 units stay in multiples of 8 (--round-to)"
    assert (found.skipped["stem/kernel"], found.skipped["depth/kernel"]) == (reason, reason)
    with pytest.raises(UsageError, match=r"nothing to prune \(stem/kernel: 8 units stay in mult"):
        planned(convolutions(), structure="unit", sparsity=0.5, round_to=16)


def test_units_of_an_lstm_are_its_units_not_its_gates():
    found = planned(lstms(), structure="unit", round_to=1)
    assert {item.key: item.groups for item in found.layers} == {
        "lstm_1/kernel": UNITS,
        "lstm_1/recurrent_kernel": UNITS,
        "lstm_2/kernel": UNITS,
        "lstm_2/recurrent_kernel": UNITS,
        "dense/kernel": HIDDEN,
    }
    assert list(found.skipped) == ["mask/kernel"]


def test_units_of_some_layers_and_weights_of_others():
    found = planned(
        convolutions(),
        layers=(LayerRule("point", structure="unit"), LayerRule("shortcut", structure="unit")),
    )
    assert {item.key: (item.structure.label, item.groups) for item in found.layers} == {
        "stem/kernel": ("weight", 3 * 3 * 3 * 8),
        "depth/kernel": ("weight", 3 * 3 * 8),
        "point/kernel": ("unit", 16),
        "shortcut/kernel": ("unit", 16),
        "classes/kernel": ("weight", 16 * 4),
    }


def test_a_model_without_units_that_can_go_is_an_error():
    inputs = keras.Input((4,))
    with pytest.raises(UsageError, match="^model 'single' has no unit that can be removed: "):
        planned(keras.Model(inputs, L.Dense(3)(inputs), name="single"), structure="unit")


def test_where_every_kernel_with_units_is_excluded_there_is_nothing_to_prune():
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, L.Dense(3, name="out")(L.Dense(8, name="hidden")(inputs)), name="two"
    )
    with pytest.raises(
        UsageError,
        match=r"^model 'two' has nothing to prune \(hidden/kernel: excluded; out/kernel: its",
    ):
        planned(model, structure="unit", exclude=("hidden",))


def test_the_network_is_left_alone():
    model = convolutions()
    before = model.get_weights()
    planned(model, structure="unit")
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_budget_plans_the_units_and_no_sparsity():
    budget = BudgetConfig(max_flash="64KiB")
    found = plan(convolutions(), BudgetPruning(budget=budget, exclude=("stem",)))
    units = planned(convolutions(), structure="unit", exclude=("stem",))
    assert [(item.key, item.groups) for item in found.layers] == [
        (item.key, item.groups) for item in units.layers
    ]
    assert {(item.structure.label, item.method, item.final_sparsity) for item in found.layers} == {
        ("unit", "differentiable", 0.0)
    }
    assert (found.skipped, found.sparsity) == (units.skipped, 0.0)
    assert {item.method for item in units.layers} == {"magnitude"}
