"""A pruning to a budget, from the first gate to int8, on a network and data that take seconds."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.support.learners import BANDS, Imitate
from tests.support.quick import quick
from tests.support.records import resource_report
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.budget import vela_loop
from tinyprune.budget.penalty import SOFT, STRENGTH
from tinyprune.budget.training import BudgetCompression, BudgetSettings
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import quantizers, strip
from tinyprune.compress.shapes import network_shape
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models import tinylstm
from tinyprune.npu import targets
from tinyprune.npu.cost_model import CostModel
from tinyprune.npu.limits import Limit, measured
from tinyprune.sparsity.resource_model import ResourceModel
from tinyprune.sparsity.unit_sets import only
from tinyprune.training.fit import Fit

EPOCHS, GATE_EPOCHS, PER_EPOCH, BATCH = 6, 3, 10, 24
TARGET = targets.resolve("ethos-u55-128")
SETS = ("stem", "inner")


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, brighter in one of three colours, and which one."""
    rng, labels = np.random.default_rng(seed), np.arange(BATCH) % 3
    pixels = rng.normal(0, 0.7, (BATCH, 8, 8, 3))
    pixels[np.arange(BATCH), :, :, labels] += 0.7
    return pixels.astype(np.float32), labels


class Colours:
    """Which colour is it? Attributes: parameters, of the model that each epoch trained."""

    metric = "accuracy"

    def __init__(self) -> None:
        self.parameters: list[int] = []

    def steps_per_epoch(self) -> int:
        return PER_EPOCH

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        return (pictures(100 * epoch + number) for number in range(PER_EPOCH))

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        inputs, labels = batch
        return tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(labels, model(inputs, training=True))
        )

    def score(self, model: keras.Model) -> float:
        inputs, labels = pictures(10**6)
        self.parameters.append(sum(int(np.prod(one.shape)) for one in model.trainable_variables))
        return float(np.mean(np.argmax(model(inputs, training=False), axis=1) == labels))


def residual() -> keras.Model:
    """16 channels, to which a branch of 12 in between is added; 4x4 positions; with dropout."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(inputs)
    y = layers.Conv2D(12, 3, padding="same", activation="relu", name="inner")(x)
    y = layers.Conv2D(16, 3, padding="same", name="outer")(layers.Dropout(0.2, name="dropout")(y))
    x = layers.ReLU(name="relu")(layers.Add(name="sum")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))


def macs(stem: int, inner: int) -> int:
    """Of the network with so many units, counted by hand."""
    return 4 * 4 * (9 * 3 * stem + 9 * stem * inner + 9 * inner * stem) + stem * 3


def size(stem: int, inner: int) -> int:
    """Bytes: int8 weights, int32 biases."""
    weights = 9 * 3 * stem + 9 * stem * inner + 9 * inner * stem + stem * 3
    return weights + 4 * (stem + inner + stem + 3)


#: The whole network.
MACS, SIZE = macs(16, 12), size(16, 12)


class Estimate:
    """A Vela that answers in no time: more than the cost model expects, the more so the smaller the network is."""

    def __init__(self, target: NpuTarget = TARGET) -> None:
        self.target, self.waiting = target, None
        self.asked = 0

    def compile(self, network: keras.Model) -> ResourceReport:
        self.asked += 1
        shape = network_shape(network, only(coupling(network), SETS))
        model, factor = CostModel(shape, TARGET), self.factor(*shape.whole)
        found = {
            name: factor * getattr(model, name)(shape.whole)
            for name in ("flash_bytes", "sram_bytes", "cycles")
        }
        return resource_report(target=self.target, **found, macs=int(model.macs(shape.whole)))

    def factor(self, stem: float, inner: float) -> float:
        return 1.1 + 0.2 * (1 - stem * inner / (16 * 12))

    def start(self, network: keras.Model) -> None:
        self.waiting = self.compile(network)

    def result(self) -> ResourceReport | None:
        found, self.waiting = self.waiting, None
        return found


def ask(
    step: int = 2,
    sets: tuple[str, ...] = SETS,
    epochs: int = GATE_EPOCHS,
    measure_every: int = 1,
    **limits,
) -> BudgetSettings:
    return BudgetSettings(
        limits=tuple(Limit(name, float(most)) for name, most in limits.items()),
        round_to=step,
        removable=sets,
        gate_epochs=epochs,
        measure_every=measure_every,
        steps_per_epoch=PER_EPOCH,
        batch_size=BATCH,
        frames=None,
        calibration_batches=lambda model: [pictures(0)[0]],
    )


def gating(vela=None, **options) -> BudgetCompression:
    return BudgetCompression(fold(residual()), ask(**options), vela)


def train(
    compression: BudgetCompression,
    folder: Path,
    epochs: int = EPOCHS,
    learner: Colours | None = None,
) -> Fit:
    """A training; beside its folder ``epoch-N``, what would be there had it been killed within the epoch after that."""
    usual = compression.before_step

    def before_step(step: int) -> None:
        if step % PER_EPOCH == 1 and step > PER_EPOCH:
            shutil.copytree(
                folder, folder.parent / f"epoch-{step // PER_EPOCH}", dirs_exist_ok=True
            )
        usual(step)

    compression.before_step = before_step
    fit = Fit(compression.prepared, learner or Colours(), epochs, 0.02, folder, compression)
    fit.run("tiny")
    return fit


def units(model: keras.Model) -> list[int]:
    """How many are left of the stem, the inner layer and the outer one."""
    return [model.get_layer(name).filters for name in ("stem", "inner", "outer")]


# --- a whole training
# -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pruned(tmp_path_factory) -> tuple[BudgetCompression, Fit, Colours]:
    """A training to a quarter of the multiply-accumulates."""
    compression, learner = gating(MACs=MACS / 4), Colours()
    return (
        compression,
        train(compression, tmp_path_factory.mktemp("pruned"), learner=learner),
        learner,
    )


def test_the_budget_is_kept_by_the_network_that_comes_out(pruned):
    compression, fit, _ = pruned
    stem, inner, outer = units(fit.model)
    assert stem == outer  # they are added
    assert macs(stem, inner) <= MACS / 4
    assert stem % 2 == inner % 2 == 0
    for more in ((stem + 2, inner), (stem, inner + 2)):
        assert (
            macs(*more) > MACS / 4 or max(more[0] - 16, more[1] - 12) > 0
        )  # nothing that would fit was taken away
    plain = strip(fit.model, compression.template)
    shape = network_shape(plain, coupling(plain))
    assert ResourceModel(shape).macs(shape.whole) == macs(stem, inner)


def test_units_go_while_it_trains_and_the_steps_after_are_those_of_a_smaller_network(pruned):
    compression, _, learner = pruned
    epochs = [removal.epoch for removal in compression.removals]
    assert epochs == sorted(set(epochs))
    assert epochs[0] < GATE_EPOCHS
    parameters = learner.parameters
    assert parameters == sorted(parameters, reverse=True)
    for epoch in epochs:
        assert (
            parameters[epoch] < parameters[epoch - 1]
        )  # epochs are from 1: that of the epoch after, and its own
    for epoch in set(range(1, EPOCHS)) - set(epochs):
        assert parameters[epoch] == parameters[epoch - 1]
    lefts = [removal.left for removal in compression.removals]
    assert all(
        one >= other
        for left, fewer in zip(lefts, lefts[1:], strict=False)
        for one, other in zip(left, fewer, strict=True)
    )


def test_the_last_epochs_learn_int8(pruned):
    compression, fit, _ = pruned
    assert quantizers(fit.model)
    assert fit.best is not None
    kernel = strip(fit.model, compression.template).get_layer("inner").kernel.numpy()
    steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert fit.best > 0.9  # it has learned something


def test_the_record_says_how_it_came_to_that(pruned):
    compression, fit, _ = pruned
    stem, inner, _ = units(fit.model)
    record = compression.record()
    assert isinstance(record, BudgetRecord)
    [line] = record.lines
    assert (line.name, line.most, line.before, line.measured) == ("MACs", MACS / 4, MACS, None)
    assert line.expected == macs(stem, inner)
    assert (record.target, record.sets, record.whole) == (None, SETS, (16, 12))
    assert record.removals[-1].left == (stem, inner)
    assert record.compilations == ()


#: Name of a case -> limits that are kept by whole counts of units.
LIMITS = {
    "flash": {"flash": SIZE / 3},
    "SRAM": {"SRAM": 400},
    "all": {"flash": SIZE / 2, "SRAM": 420, "MACs": MACS / 3},
}


@pytest.mark.parametrize("limits", quick(LIMITS, "all"))
def test_every_budget_is_kept_and_several_at_once(limits):
    """By whole counts, even where the gates have learned nothing."""
    compression = gating(step=1, **limits)
    found = compression.after_epoch(GATE_EPOCHS).model
    plain = strip(found, compression.template)
    shape = network_shape(plain, coupling(plain))
    model, (stem, inner, _) = ResourceModel(shape), units(found)
    takes = {"flash": model.size_bytes, "SRAM": model.peak_bytes, "MACs": model.macs}
    for name, most in limits.items():
        assert takes[name](shape.whole) <= most
    assert model.size_bytes(shape.whole) == size(stem, inner)
    assert model.macs(shape.whole) == macs(stem, inner)
    assert (stem, inner) != (16, 12)


@pytest.mark.slow
def test_a_recurrent_network_meets_its_budget_too():
    keras.utils.set_random_seed(0)
    network = tinylstm.build((None, BANDS), BANDS, 12, 10)
    whole = (
        4 * 12 * (BANDS + 12)
        + 4 * 12 * (12 + 12)
        + 12 * 10
        + 10 * BANDS
        + 4 * (4 * 12 + 4 * 12 + 10 + BANDS)
    )
    asked = BudgetSettings(
        limits=(Limit("flash", whole / 3),),
        round_to=1,
        removable=("lstm_1", "lstm_2", "dense"),
        gate_epochs=2,
        measure_every=1,
        steps_per_epoch=Imitate().steps_per_epoch(),
        batch_size=4,
        frames=1,
        calibration_batches=lambda model: [next(Imitate().batches(9))[0]],
    )
    compression = BudgetCompression(fold(network), asked)
    assert compression.tracker.initial.tolist() == [whole]
    found = compression.after_epoch(2).model
    one, two, dense = (found.get_layer(name).units for name in ("lstm_1", "lstm_2", "dense"))
    weights = 4 * one * (BANDS + one) + 4 * two * (one + two) + two * dense + dense * BANDS
    assert weights + 4 * (4 * one + 4 * two + dense + BANDS) <= whole / 3


# --- the penalty
# ------------------------------------------------------------------------------------------------------


def at_the_end(compression: BudgetCompression, *left: int) -> BudgetCompression:
    """A compression at the last step of its gates, with so many units of each set open."""
    compression._gates.share.assign(np.array(left, np.float32) / [16, 12])
    compression.before_step(GATE_EPOCHS * PER_EPOCH - 1)
    return compression


def test_above_the_budget_every_set_that_takes_of_it_is_pushed_shut():
    compression = at_the_end(gating(MACs=MACS / 2), 16, 12)
    assert (compression.penalty.by_kept.numpy() > 0).all()
    before = compression.penalty.strengths.copy()
    assert before > 0
    compression.before_step(GATE_EPOCHS * PER_EPOCH - 1)
    assert compression.penalty.strengths > before  # and harder as long as that does not help


def test_under_the_budget_nothing_is():
    compression = at_the_end(gating(MACs=MACS / 2), 6, 6)
    assert macs(6, 6) < MACS / 2
    assert not compression.penalty.by_kept.numpy().any()
    before = compression.penalty.strengths.copy()
    compression.before_step(GATE_EPOCHS * PER_EPOCH - 1)
    assert compression.penalty.strengths <= before


def test_the_budget_comes_gradually():
    """At first as much is allowed as the network takes: nothing pushes an open gate."""
    compression = gating(MACs=MACS / 2)
    for step in range(3):  # a tenth of all steps with gates is for finding out what units are worth
        compression.before_step(step)
        compression.after_step(2.0)
        assert not compression.penalty.by_kept.numpy().any()
    assert not compression.penalty.strengths.any()
    assert float(compression._gates.temperature) == pytest.approx(SOFT)
    compression.before_step(3)
    assert compression.penalty.strengths == pytest.approx(STRENGTH * 2.0, rel=0.2)
    temperatures = []
    for step in range(3, GATE_EPOCHS * PER_EPOCH):
        compression.before_step(step)
        temperatures.append(float(compression._gates.temperature))
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[-1] < 0.01


def test_one_step_with_gates_is_enough(tmp_path):
    one = BudgetSettings(**vars(ask(MACs=MACS / 2)) | {"gate_epochs": 1, "steps_per_epoch": 1})
    compression = BudgetCompression(fold(residual()), one)
    compression.before_step(0)
    compression.after_step(1.0)
    assert compression.after_epoch(1).model is compression.prepared
    assert compression.record().lines[0].expected <= MACS / 2


# --- what it does not do
# ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_budget_that_is_kept_already_prunes_nothing(tmp_path):
    compression, learner = gating(MACs=MACS, flash=SIZE), Colours()
    assert compression.is_met
    fit = train(compression, tmp_path, epochs=2, learner=learner)
    assert units(fit.model) == [16, 12, 16]
    assert compression.record().removals == ()
    assert len(set(learner.parameters)) == 1
    assert quantizers(fit.model)
    assert not gating(MACs=MACS - 1).is_met


@pytest.mark.parametrize(
    ("step", "name", "least", "fewest"),
    [
        (2, "MACs", macs(2, 2), f"2 units left of every layer the network takes {macs(2, 2)}"),
        (1, "MACs", macs(1, 1), f"1 unit left of every layer the network takes {macs(1, 1)}"),
        (2, "flash", size(2, 2), f"2 units left of every layer the network takes {size(2, 2)} B"),
        (16, "flash", SIZE, f"16 units left of every layer the network takes {SIZE} B"),
    ],
)
def test_a_budget_that_cannot_be_met_says_what_can(step, name, least, fewest):
    with pytest.raises(UsageError) as caught:
        gating(step=step, **{name: least - 1})
    message = str(caught.value)
    assert message.startswith(f"{name}: a budget of ")
    assert (
        f"cannot be met: with {fewest}; ask for that or more, or choose a smaller --round-to or network"
        in message
    )
    assert "\n" not in message
    assert gating(step=step, **{name: least}).tracker.initial is not None


def test_memory_for_less_than_its_own_input_is_refused():
    with pytest.raises(
        UsageError, match=r"^SRAM: .* 191 B is less than the network's own input of 192 B, "
    ):
        gating(SRAM=8 * 8 * 3 - 1)
    with pytest.raises(
        UsageError, match=r"^SRAM: a budget of 200 B cannot be met: .* takes 224 B; "
    ):
        gating(SRAM=200)  # the input and what the stem makes of it, 4 * 4 * 2 bytes


@pytest.mark.slow
def test_what_may_not_lose_units_keeps_them():
    with pytest.raises(UsageError, match=rf"^MACs: .* the network takes {round(MACS / 1000)} k; "):
        gating(MACs=MACS / 2, sets=())
    compression = gating(MACs=MACS / 2, sets=("inner",))
    stem, inner, _ = units(compression.after_epoch(GATE_EPOCHS).model)
    assert stem == 16
    assert macs(16, inner) <= MACS / 2
    with pytest.raises(UsageError, match="cannot be met"):
        gating(MACs=macs(16, 2) - 1, sets=("inner",))


# --- with an accelerator
# ----------------------------------------------------------------------------------------------

BUDGET = {"flash": 4500, "cycles": 5500}


@pytest.fixture(scope="module")
def estimated(tmp_path_factory) -> tuple[BudgetCompression, Fit, Estimate, Path]:
    """A training to a budget of an accelerator, and the folder beside its own."""
    vela, folder = Estimate(), tmp_path_factory.mktemp("estimated")
    compression = gating(vela, **BUDGET)
    return compression, train(compression, folder / "run"), vela, folder


def test_what_vela_says_corrects_what_is_expected():
    compression = gating(Estimate(), **BUDGET)
    model = CostModel(network_shape(compression.template, coupling(compression.template)), TARGET)
    kept = np.array([16.0, 12.0])
    expected = np.array([model.flash_bytes(kept), model.cycles(kept)])
    np.testing.assert_allclose(compression.tracker.initial, 1.1 * expected)
    [(before, found)] = compression.tracker.compilations
    np.testing.assert_allclose(before, expected)
    np.testing.assert_allclose(found, 1.1 * expected)


@pytest.mark.slow
def test_the_budget_is_kept_by_vela_where_the_model_is_wrong(estimated):
    compression, fit, vela, _ = estimated
    final = vela.compile(strip(fit.model, compression.template))
    flash, cycles = final.flash_bytes, final.cycles
    assert flash <= BUDGET["flash"]
    assert cycles <= BUDGET["cycles"]
    record = compression.record()
    assert record.target == TARGET.name
    assert len(record.compilations) >= 3  # before the first step, of whole counts, in int8
    last = record.compilations[-1]
    assert last.expected == pytest.approx(last.measured, rel=1e-6)  # by then it is known how wrong
    assert [line.expected for line in record.lines] == pytest.approx([flash, cycles], rel=1e-6)


@pytest.mark.slow
def test_what_is_too_much_in_int8_loses_a_few_more_units():
    """The budget is kept when units are counted, and Vela says half as much again of what int8 made of the weights."""

    class Late(Estimate):
        factor_now = 1.0

        def factor(self, stem: float, inner: float) -> float:
            return self.factor_now

    vela = Late()
    compression = gating(vela, **BUDGET)
    compression.after_epoch(GATE_EPOCHS)
    before, vela.factor_now = units(compression.prepared), 1.5
    assert (
        compression.after_epoch(GATE_EPOCHS + 1) is None
    )  # it is asked now, and answers while the next epoch runs
    found = compression.after_epoch(GATE_EPOCHS + 2)
    assert units(found.model) < before
    assert found.slots is not None
    assert quantizers(found.model)
    assert compression.removals[-1].epoch == GATE_EPOCHS + 2
    assert vela.compile(strip(found.model, compression.template)).flash_bytes <= BUDGET["flash"]
    assert (
        compression.after_epoch(GATE_EPOCHS + 3) is None
    )  # of the smaller network it has been asked at once


@pytest.mark.slow
def test_the_least_that_can_be_reached_is_reached():
    """Although counts are made for a little less than the budget by Vela."""

    class Steady(Estimate):
        def factor(self, stem: float, inner: float) -> float:
            return 1.2

    model = CostModel(
        network_shape(fold(residual()), only(coupling(fold(residual())), SETS)), TARGET
    )
    least = 1.2 * float(model.flash_bytes(np.array([2.0, 2.0])))
    compression = gating(Steady(), flash=least * 1.0001)
    assert units(compression.after_epoch(GATE_EPOCHS).model) == [2, 2, 2]
    with pytest.raises(UsageError, match="cannot be met: with 2 units left of every layer"):
        gating(Steady(), flash=least * 0.9999)


def same(left: Fit, right: Fit) -> bool:
    arrays = ([np.asarray(one) for one in fit._state()] for fit in (left, right))
    return all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))


def told(fit: Fit) -> list[tuple]:
    """The history without seconds."""
    return [
        (record.step, record.loss, record.score, record.learning_rate) for record in fit.history
    ]


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_a_killed_pruning_continues_as_if_nothing_had_happened(estimated, tmp_path, epoch):
    """With gates after a removal, at the last epoch that has some, in int8, and while Vela is at work."""
    whole, fit, _, folder = estimated
    assert whole.removals[0].epoch <= 2
    shutil.copytree(folder / f"epoch-{epoch}", tmp_path / "run")
    compression = gating(Estimate(), **BUDGET)
    keras.utils.set_random_seed(
        epoch
    )  # the random numbers of a new process are not where the old one's were
    found = train(compression, tmp_path / "run")
    assert same(found, fit)
    assert told(found) == told(fit)
    assert (found.best, compression.record()) == (fit.best, whole.record())


@pytest.mark.slow
def test_whole_counts_keep_the_budget_by_the_real_vela(tmp_path):
    loop = VelaLoop(
        TARGET, None, np.concatenate([pictures(seed)[0] for seed in range(2)]), tmp_path / "loop"
    )
    budget = {"flash": 2500.0, "latency": 14e-6}
    compression = gating(loop, **budget)
    assert (compression.tracker.initial > list(budget.values())).all()
    found = compression.after_epoch(GATE_EPOCHS).model
    [before, *_, last] = compression.tracker.compilations
    assert before[0] != pytest.approx(before[1], rel=1e-6)
    assert (last[1] <= list(budget.values())).all()
    loop.start(strip(found, compression.template))
    final = measured(loop.result(), [Limit(*one) for one in budget.items()])
    assert [line.expected for line in compression.record().lines] == pytest.approx(
        final.tolist(), rel=0.1
    )
    assert (tmp_path / "loop").exists()
    loop.close()
    assert not (tmp_path / "loop").exists()


@pytest.mark.slow
def test_a_target_without_a_cost_model_is_kept_to_with_that_of_another(log_lines):
    vela = Estimate(targets.resolve("ethos-u55-32"))
    whole = vela.compile(fold(residual()))
    budget = {"flash": 0.8 * whole.flash_bytes, "cycles": 0.9 * whole.cycles}
    compression = gating(vela, **budget)
    compression.after_epoch(GATE_EPOCHS)
    assert (compression.tracker.compilations[-1][1] <= list(budget.values())).all()
    ours = "no cost model for ethos-u55-32-shared-sram: that of ethos-u55-128-shared-sram is used, corrected by Vela"
    assert log_lines[0] == ours


def test_a_compilation_that_fails_is_told_of_and_training_goes_on(tmp_path, monkeypatch, log_lines):
    def failing(*arguments):
        raise TinypruneError("Vela: something is odd")

    loop = VelaLoop(TARGET, None, pictures(0)[0], tmp_path / "loop")
    assert loop.result() is None  # nothing was asked
    monkeypatch.setattr(vela_loop, "convert", failing)
    loop.start(residual())
    assert loop.result() is None
    assert log_lines == ["the network of this epoch could not be measured: Vela: something is odd"]
    loop.close()
    assert not (tmp_path / "loop").exists()


@pytest.mark.slow
def test_heads_are_rounded_to_channels():
    """Four heads of 4 channels, rounded to 8: two heads are a multiple, where all four were one to stay."""
    given = keras.Input((6, 16))
    attended = layers.MultiHeadAttention(4, 4, name="attention")(given, given)
    network = fold(keras.Model(given, layers.Dense(3, name="out")(layers.Flatten()(attended))))
    heads = ("attention_query",)
    shape = network_shape(network, only(coupling(network), heads))
    flash = ResourceModel(shape).size_bytes(np.array([3.0]))
    examples = np.random.default_rng(0).standard_normal((4, 6, 16)).astype(np.float32)
    settings = replace(
        ask(step=8, sets=heads, epochs=1, flash=flash),
        calibration_batches=lambda model: [examples],
    )
    compression = BudgetCompression(network, settings)
    compression.after_epoch(1)
    assert compression.tracker.sizes == 2
    assert compression.template.get_layer("attention_query").kernel.shape == (16, 2 * 4)
