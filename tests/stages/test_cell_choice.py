"""Which form of an LSTM layer is chosen."""

from unittest import mock

import keras
import numpy as np
import pytest

from tinyprune.artifacts.cell_choice import CellChoice
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.npu import targets
from tinyprune.stages import cell_choice
from tinyprune.stages.cell_choice import LayerShape, choose_cells

TARGET = targets.resolve("ethos-u55-128", memory_mode="Sram_Only")


#: Frames of a call that has one product of all inputs beside that of the state.
SEVERAL = 10


def network(units: int = 64, **settings: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    features = keras.Input((None, 40))
    hidden = keras.layers.LSTM(units, return_sequences=True, name="first", **settings)(features)
    hidden = keras.layers.LSTM(8, return_sequences=True, name="small")(hidden)
    return keras.Model(features, keras.layers.Dense(40, name="mask")(hidden))


def chosen(
    config: MagnitudePruning,
    form: str,
    found: dict,
    model: keras.Model | None = None,
    frames: int = 1,
    largest: float = 2.0,
):
    """The choices, and the shapes that were compiled.

    ``frames``: of a call. ``largest``: magnitude of inputs.
    """
    model = model or network()
    calibration = np.full((3, 40), -largest, np.float32)
    with mock.patch.object(cell_choice, "_cycles", return_value=found) as cycles:
        choices = choose_cells(
            model, plan(model, config), form, TARGET, frames, lambda: calibration
        )
    return choices, [call.args[0] for call in cycles.call_args_list]


@pytest.mark.parametrize(
    ("found", "form", "note"),
    [
        ({"fused": 1000.0, "explicit": 970.0}, "explicit", ""),
        ({"fused": 1000.0, "explicit": 971.0}, "fused", ""),
        ({"fused": 1000.0, "explicit": "stopped after 120 s"}, "fused", "explicit: stopped after"),
        ({"fused": "crashed", "explicit": 5.0}, "fused", "fused: crashed"),
    ],
)
def test_auto_takes_an_explicit_cell_that_is_three_percent_cheaper(found, form, note):
    [first, small], shapes = chosen(MagnitudePruning(), "auto", found, frames=SEVERAL)
    assert (first.form, first.note[: len(note)]) == (form, note)
    assert (small.form, small.note) == ("fused", "fewer than 32 units")
    assert [(shape.features, shape.units, shape.frames) for shape in shapes] == [(40, 64, SEVERAL)]


@pytest.mark.parametrize("form", ["fused", "explicit"])
def test_a_form_that_is_asked_for_is_compiled_by_nobody(form):
    choices, shapes = chosen(MagnitudePruning(), form, {})
    assert [choice.form for choice in choices] == [form, form]
    assert shapes == []


def test_a_layer_with_hard_gates_is_explicit_and_compiled_by_nobody():
    model = fold(network(recurrent_activation="hard_sigmoid"))
    for frames in (SEVERAL, 1):
        [first, small], shapes = chosen(MagnitudePruning(), "auto", {}, model, frames)
        assert first.sentence == f"explicit for {TARGET.name}, hard gates"
        assert small.form == "fused"
        assert shapes == []


def test_one_product_has_to_be_asked_for_and_costs_little_precision():
    found = {"fused": 1000.0, "explicit": 900.0}
    [first, _], [shape] = chosen(MagnitudePruning(), "auto", found)
    assert (first.form, first.input_limit, shape.explicit.input_limit) == ("explicit", None, None)
    # Kernels of about 0.2 and 0.4: beside inputs of 100 the state would keep its sign only.
    [first, _], _ = chosen(MagnitudePruning(), "merged", {}, largest=100.0)
    assert (first.form, first.input_limit) == ("explicit", None)
    [first, _], _ = chosen(MagnitudePruning(clusters=16), "merged", {})
    assert (first.form, first.input_limit) == ("explicit", None)


def test_one_product_that_is_asked_for_is_compiled_by_nobody():
    choices, shapes = chosen(MagnitudePruning(), "merged", {})
    assert [(choice.form, choice.input_limit) for choice in choices] == [
        ("merged", 2.0),
        ("merged", 1.0),
    ]
    assert shapes == []
    [first, _], _ = chosen(MagnitudePruning(), "merged", {}, frames=SEVERAL)
    assert (first.form, first.note) == ("explicit", cell_choice.TWO_PRODUCTS)


def test_a_layer_with_hard_gates_cannot_be_fused():
    model = fold(network(activation="hard_tanh"))
    with pytest.raises(UsageError, match="^layer 'first' has hard gates, and .*--cell explicit$"):
        chosen(MagnitudePruning(), "fused", {}, model)


def test_a_layer_is_compared_with_the_units_that_are_left():
    # 75 % of 64 units go: 16 are left. The features are those of the network, so they stay.
    config = MagnitudePruning(structure="unit", sparsity=0.75)
    _, [shape] = chosen(config, "auto", {"fused": 1.0, "explicit": 1.0})
    assert (shape.features, shape.units, shape.plans) == (40, 16, ())


def test_weights_that_are_drawn_have_the_zeros_of_the_plan():
    model = network()
    items = plan(model, MagnitudePruning(structure="block", block_size="8x8", sparsity=0.75)).layers
    plans = tuple(item for item in items if item.layer == "first")
    layer = cell_choice._layer(LayerShape(40, 64, 1, 1, plans)).get_layer("layer")
    kernel = layer.cell.kernel.numpy()  # 40 x 256
    assert (kernel == 0).mean() == 0.75
    for row in range(0, 40, 8):
        for column in range(0, 256, 8):
            block = kernel[row : row + 8, column : column + 8]
            assert (block == 0).all() or (block != 0).all()


def test_a_vela_that_hangs_is_a_reason_for_the_other_form():
    hangs = TinypruneError("explicit.tflite for ethos-u55-128: Vela was stopped after 120 s; see x")
    with mock.patch.object(cell_choice, "compile_lowered", side_effect=hangs):
        cell_choice._cycles.cache_clear()
        found = cell_choice._cycles(LayerShape(4, 32, 1, 1), TARGET)
        cell_choice._cycles.cache_clear()
    assert found["explicit"] == "Vela was stopped after 120 s"


def test_the_choice_in_words():
    cycles = {"fused": 86600.0, "explicit": 76000.0}
    choice = CellChoice("lstm", "explicit", "ethos-u55-128-sram-only", cycles)
    expected = "explicit for ethos-u55-128-sram-only, 76,000 cycles, fused 86,600"
    assert choice.sentence == expected
