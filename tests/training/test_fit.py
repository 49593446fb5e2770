import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.learners import BANDS, EPOCHS, FRAMES, PER_EPOCH, Imitate
from tests.support.quick import quick
from tinyprune.compress.coupling import coupling
from tinyprune.compress.prepare import prepare, quantizers
from tinyprune.compress.remove import carry, remove, without
from tinyprune.errors import TinypruneError
from tinyprune.models import tinylstm
from tinyprune.training.compression import Compression, Replacement
from tinyprune.training.fit import Fit, learning_rate


class Told(Compression):
    """What a training tells its compression: steps, losses; it may interrupt a step, and say which epochs count."""

    def __init__(
        self, stop: int | None = None, counted: Callable[[int], bool] = lambda step: True
    ) -> None:
        self.steps, self.losses, self.asked = [], [], []
        self._stop, self._counted = stop, counted

    def before_step(self, step: int) -> None:
        if step == self._stop:
            raise KeyboardInterrupt
        self.steps.append(step)

    def after_step(self, loss: float) -> None:
        self.losses.append(loss)

    def may_be_best(self, step: int) -> bool:
        self.asked.append(step)
        return self._counted(step)


def dense(*hidden: int) -> keras.Model:
    layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
    return keras.Sequential(
        [keras.Input((FRAMES, BANDS)), *layers, keras.layers.Dense(BANDS, activation="sigmoid")]
    )


def fit(
    folder: Path,
    task: Imitate,
    epochs: int = EPOCHS,
    build=dense,
    compression: Compression | None = None,
) -> Fit:
    """A training of an int8 network with masks, the same one every time."""
    keras.utils.set_random_seed(0)
    model = prepare(build())
    for quantizer in quantizers(model):
        if not quantizer.fixed:
            quantizer.low.assign(-4.0)
            quantizer.high.assign(4.0)
    return Fit(model, task, epochs, 0.03, folder, compression)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def same(left: list, right: list) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def values(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in model.variables]


def test_the_loss_goes_down_and_the_history_says_so(tmp_path):
    task, told = Imitate(), Told()
    training = fit(tmp_path, task, epochs=8, compression=told)
    training.run("tiny")
    records = training.history
    assert records[-1].loss < 0.9 * records[0].loss
    assert task.scores[-1] > task.scores[0]
    assert [record.epoch for record in records] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [record.step for record in records] == [PER_EPOCH * epoch for epoch in range(1, 8 + 1)]
    assert [record.score for record in records] == task.scores
    assert told.steps == list(range(8 * PER_EPOCH)) == list(range(training.steps))
    assert np.reshape(told.losses, (8, PER_EPOCH)).mean(axis=1).tolist() == [
        record.loss for record in records
    ]
    found = rows(tmp_path)
    assert list(found[0]) == ["epoch", "step", "loss", "dev_si_sdr_db", "learning_rate", "seconds"]
    assert [float(row["loss"]) for row in found] == [record.loss for record in records]
    assert float(found[-1]["learning_rate"]) == pytest.approx(0.03 / 100, rel=1e-4)


def test_the_history_names_the_metric(tmp_path):
    task = Imitate([0.5])
    task.metric = "accuracy"
    fit(tmp_path, task, epochs=1).run("tiny")
    [row] = rows(tmp_path)
    assert list(row) == ["epoch", "step", "loss", "dev_accuracy", "learning_rate", "seconds"]
    assert row["dev_accuracy"] == "0.5"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_checkpoint_of_another_claim_is_not_continued(tmp_path, seed, log_lines):
    (tmp_path / "variant.json").write_text('{"seed": 0}')
    fit(tmp_path, Imitate(), epochs=1).run("tiny")
    (tmp_path / "variant.json").write_text(f'{{"seed": {seed}}}')
    training = fit(tmp_path, Imitate(), epochs=2)
    training._resume()
    assert len(training.history) == 1 - seed
    assert (tmp_path / "best.npz").exists() == (seed == 0)
    assert any("of another configuration: begun anew" in line for line in log_lines) == (seed == 1)


class Penalised(Compression):
    """A variable of its own, pulled towards 3 by a penalty, and the norms of the gradients of each step."""

    def __init__(self) -> None:
        self.own, self.norms, self.step = (
            tf.Variable(1.0),
            tf.Variable(tf.zeros(PER_EPOCH)),
            tf.Variable(0),
        )

    learned = property(lambda self: [self.own])
    variables = property(lambda self: [self.own])

    def added_loss(self) -> tf.Tensor:
        return (self.own - 3.0) ** 2

    def observe(self, variables: list, gradients: list[tf.Tensor]) -> None:
        assert [tuple(v.shape) for v in variables] == [tuple(g.shape) for g in gradients]
        self.norms.scatter_nd_update([[self.step]], [tf.norm(gradients[0])])
        self.step.assign_add(1)
        self.own.assign_sub(0.25 * gradients[-1])


def test_a_course_sees_the_gradients_of_what_it_learns_and_adds_a_penalty(tmp_path):
    """In the compiled step, one per trainable variable, before they are clipped and applied."""
    compression, plain, task = Penalised(), Told(), Imitate([0.0], 1e4)
    training = fit(tmp_path, task, epochs=1, compression=compression)
    training.run("tiny")
    assert int(compression.step) == PER_EPOCH
    assert (compression.norms.numpy() > 5).all()  # the norm that gradients are clipped to
    assert float(compression.own) == 3 - 2 * 0.5**PER_EPOCH  # a step is a quarter of 2 (own - 3)
    alone = fit(tmp_path / "alone", Imitate([0.0], 1e4), epochs=1, compression=plain)
    alone.run("tiny")
    assert same(values(training.model), values(alone.model))
    assert (
        training.history[0].loss == alone.history[0].loss
    )  # the loss that is told is that of the task
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        found = len(arrays.files) - 1
    assert found == len(training.model.variables) + len(training.optimizer.variables) + 1


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps(tmp_path):
    class Constant(Imitate):
        def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
            return tf.reduce_mean(batch[0]) + 0 * super().loss(model, batch)

    training = fit(tmp_path, Constant([0.0]), epochs=1)
    training.run("tiny")
    expected = np.mean([batch.mean() for (batch,) in Imitate().batches(0)])
    assert training.history[0].loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([1.0, 5.0, 2.0, 3.0], 2),
        ([-9.0, -9.0, -9.5, -9.0], 1),
        ([math.nan, 1.0, 3.0, 2.0], 3),
        ([1.0, math.nan, 0.5, 0.0], 1),
    ],
    ids=["middle", "first of equals", "undefined at first", "undefined later"],
)
def test_the_best_epoch_is_kept_and_loaded_in_the_end(tmp_path, scores, best):
    task = Imitate(scores)
    training = fit(tmp_path, task)
    training.run("tiny")
    assert training.best == scores[best - 1]
    assert same(values(training.model), task.weights[best - 1])
    assert [same(weights, task.weights[best - 1]) for weights in task.weights].count(True) == 1


def test_only_epochs_that_count_can_be_the_best(tmp_path):
    task = Imitate([9.0, 8.0, 1.0, 2.0])
    told = Told(counted=lambda step: step > 2 * PER_EPOCH)
    training = fit(tmp_path, task, compression=told)
    training.run("tiny")
    assert told.asked == [PER_EPOCH * epoch for epoch in range(1, EPOCHS + 1)]
    assert training.best == 2.0
    assert same(values(training.model), task.weights[3])


STOPPED = {"dense": lambda: dense(5), "lstm": lambda: tinylstm.build((None, BANDS), BANDS, 6, 5)}


@pytest.mark.parametrize("build", quick(STOPPED, "dense"))
def test_a_stopped_training_continues_as_if_nothing_had_happened(tmp_path, build):
    whole = fit(tmp_path / "whole", Imitate(), build=build)
    whole.run("tiny")

    with pytest.raises(KeyboardInterrupt):  # within the third epoch
        fit(
            tmp_path / "parts", Imitate(), build=build, compression=Told(stop=2 * PER_EPOCH + 1)
        ).run("tiny")
    assert len(rows(tmp_path / "parts")) == 2
    told = Told()
    continued = fit(tmp_path / "parts", Imitate(), build=build, compression=told)
    continued.run("tiny")
    assert told.steps == list(range(2 * PER_EPOCH, EPOCHS * PER_EPOCH))
    assert same(values(continued.model), values(whole.model))
    assert same(continued.optimizer.variables, whole.optimizer.variables)
    assert continued.best == whole.best
    for mine, theirs in zip(rows(tmp_path / "parts"), rows(tmp_path / "whole"), strict=True):
        assert mine | {"seconds": ""} == theirs | {"seconds": ""}


def test_the_best_epoch_may_lie_before_the_stop(tmp_path):
    first = Imitate([5.0, 1.0])
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, first, compression=Told(stop=2 * PER_EPOCH)).run("tiny")
    continued = fit(tmp_path, Imitate([2.0, 3.0]))
    continued.run("tiny")
    assert continued.best == 5.0
    assert same(values(continued.model), first.weights[0])


def test_a_finished_training_trains_no_more(tmp_path):
    finished = fit(tmp_path, Imitate())
    finished.run("tiny")
    history = (tmp_path / "history.csv").read_text()
    # As a kill between the last checkpoint and the history leaves it.
    (tmp_path / "history.csv").write_text("".join(history.splitlines(keepends=True)[:-1]))
    (tmp_path / ".99999999.part.history.csv").touch()
    told = Told()
    again = fit(tmp_path, Imitate(), compression=told)
    again.run("tiny")
    assert not told.steps
    assert (tmp_path / "history.csv").read_text() == history
    assert not list(tmp_path.glob(".*"))
    assert same(values(again.model), values(finished.model))
    assert len(again.history) == EPOCHS


def test_nothing_half_written_is_left(tmp_path):
    fit(tmp_path, Imitate(), epochs=1).run("tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.npz",
        "checkpoint.npz",
        "history.csv",
    ]


def refused(folder: Path, build=dense) -> None:
    """Continuing must be one line that names the file and says what to do."""
    message = r"^.*checkpoint\.npz does not fit this model \(.*\); delete it and run again$"
    with pytest.raises(TinypruneError, match=message) as caught:
        fit(folder, Imitate(), build=build).run("tiny")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(folder)) + 300


@pytest.mark.parametrize(
    "build",
    [lambda: dense(6), lambda: dense(5, 5), lambda: dense()],
    ids=["wider", "deeper", "shallower"],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, build):
    other = fit(tmp_path, Imitate(), build=lambda: dense(5))
    other._save("checkpoint.npz", other._state(), {"best": None, "history": []})
    refused(tmp_path, build)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"", lambda raw: b"text", lambda raw: raw[: len(raw) // 2]],
    ids=["empty", "text", "cut off"],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    np.savez(path, v0000=np.zeros(1000), state=np.array("{}"))
    path.write_bytes(damage(path.read_bytes()))
    refused(tmp_path)


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_says_what_to_try(tmp_path, factor):
    with pytest.raises(
        TinypruneError, match="^the loss of epoch 1 is not finite: try a smaller --learning-rate$"
    ):
        fit(tmp_path, Imitate(factor=factor)).run("tiny")
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_names_what_divides_or_takes_a_root(tmp_path):
    def with_logarithm() -> keras.Model:
        model = dense()
        return keras.Model(model.inputs, keras.ops.log(model.outputs[0]))

    training = fit(tmp_path, Imitate(factor=math.nan), build=with_logarithm)
    with pytest.raises(TinypruneError, match="or a larger number beside the arguments of Log 'log"):
        training.run("tiny")


def test_a_loss_that_stops_being_finite_stops_at_the_step_and_keeps_the_epoch_before(tmp_path):
    class Spoilt(Imitate):
        def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
            for number, (features,) in enumerate(super().batches(epoch)):
                yield (np.full_like(features, np.nan) if (epoch, number) == (2, 1) else features,)

    whole = fit(tmp_path / "whole", Imitate())
    whole.run("tiny")
    told, parts = Told(), tmp_path / "parts"
    with pytest.raises(TinypruneError) as caught:
        fit(parts, Spoilt(), compression=told).run("tiny")
    assert str(caught.value) == (
        "the loss of epoch 3 is not finite: try a smaller --learning-rate; "
        f"the state after epoch 2 is kept in {parts}: "
        "choose another --name or --run, or delete that folder"
    )
    assert told.steps == list(
        range(2 * PER_EPOCH + 2)
    )  # the second step of the third epoch was the last one
    assert len(told.losses) == 2 * PER_EPOCH + 1
    assert len(rows(parts)) == 2
    continued = fit(parts, Imitate())
    continued.run("tiny")
    assert same(values(continued.model), values(whole.model))


def test_no_epoch_that_counts_is_an_error(tmp_path):
    with pytest.raises(TinypruneError, match="^no epoch has a score on dev"):
        fit(tmp_path, Imitate(), epochs=1, compression=Told(counted=lambda step: False)).run("tiny")


def test_penalties_of_layers_are_learned_from_and_not_told(tmp_path):
    """Where nothing else is learned, a penalty on the outputs and one on a kernel draw it to 0."""

    def penalised() -> keras.Model:
        kernel = keras.layers.Dense(BANDS, kernel_regularizer=keras.regularizers.L2(1.0), name="k")
        outputs = keras.layers.ActivityRegularization(l2=1.0)
        return keras.Sequential([keras.Input((FRAMES, BANDS)), kernel, outputs])

    def plain() -> keras.Model:
        return keras.Sequential([keras.Input((FRAMES, BANDS)), keras.layers.Dense(BANDS, name="k")])

    norms = {}
    for build in (penalised, plain):
        training = fit(tmp_path / build.__name__, Imitate([0.0] * EPOCHS, 0.0), build=build)
        training.run("tiny")
        norms[build] = float(tf.norm(training.model.get_layer("k").kernel.value))
        assert training.history[-1].loss == 0
    assert norms[penalised] < 0.99 * norms[plain]


def test_gradients_are_clipped(tmp_path):
    """However large the loss is, a step of Adam with clipped gradients is the same as from one barely too large."""
    large, huge = (
        fit(tmp_path / str(factor), Imitate([0.0], factor), epochs=1) for factor in (1e4, 1e8)
    )
    for training in (large, huge):
        training.run("tiny")
    for left, right in zip(values(large.model), values(huge.model), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


def test_the_learning_rate_warms_up_and_falls_by_a_cosine():
    peak, steps = 1e-3, 1000
    rate = learning_rate(peak, steps)
    warm = 20  # 0.02 * 1000
    assert float(rate(0)) == pytest.approx(peak / 100)
    assert float(rate(warm // 2)) == pytest.approx(peak / 100 + (peak - peak / 100) / 2, rel=1e-3)
    assert float(rate(warm)) == pytest.approx(peak, rel=1e-3)
    half = peak * (0.01 + 0.99 * (1 + math.cos(math.pi * 0.5)) / 2)
    assert float(rate(warm + (steps - warm) // 2)) == pytest.approx(half, rel=1e-3)
    assert float(rate(steps)) == pytest.approx(peak / 100, rel=1e-3)
    rates = [float(rate(step)) for step in range(0, steps, 20)]
    assert np.argmax(rates) == 1


# --- a model that another takes the place of
# --------------------------------------------------------------------------

SLOTS = ("_momentums", "_velocities")


class Halving(Compression):
    """Every other unit goes after some epochs, from a network with dropout.

    Attributes: carried, weight -> what the optimizer knew of it and what it knows of it now;
        optimizers, what it knows
    at the first step of each epoch, weight by weight.
    """

    def __init__(self, after: tuple[int, ...], stop: int | None = None) -> None:
        self._after, self._stop, self._times = after, stop, 0
        inputs = keras.Input((FRAMES, BANDS))
        x = keras.layers.Dense(8, activation="relu", name="first")(inputs)
        x = keras.layers.Dense(8, activation="relu", name="second")(
            keras.layers.Dropout(0.2, name="dropout")(x)
        )
        self._template = keras.Model(inputs, keras.layers.Dense(BANDS, name="last")(x))
        self.prepared = prepare(self._template, masked=False, quantized=False)
        self.carried: dict[str, list] = {}
        self.optimizers: list[list] = []

    def before_step(self, step: int) -> None:
        if step == self._stop:
            raise KeyboardInterrupt
        if step % PER_EPOCH == 0:
            self.optimizers.append(
                [[np.asarray(slot) for slot in getattr(self.fit.optimizer, name)] for name in SLOTS]
            )

    def after_epoch(self, epoch: int) -> Replacement | None:
        if epoch not in self._after:
            return None
        old, (units, keep) = self.prepared, self._halve()
        carry(old, self.prepared, units, keep)

        def slots(layer: keras.Layer, name: str, value: np.ndarray) -> np.ndarray:
            assert old.get_layer(layer.name) is layer
            found = without(layer, name, value, units, keep)
            self.carried.setdefault(f"{layer.name}/{name}", []).append((value, found))
            return found

        return Replacement(self.prepared, slots)

    def _halve(self) -> tuple:
        units = coupling(self._template)
        keep = np.arange(units.units) % 2 == 0
        self._template = remove(self._template, units, keep)
        self.prepared = prepare(self._template, masked=False, quantized=False)
        self._times += 1
        return units, keep

    def state(self) -> dict:
        return {"times": self._times}

    def restore(self, state: dict) -> keras.Model | None:
        for _ in range(state["times"]):
            self._halve()
        return self.prepared if state["times"] else None


def halving(
    folder: Path, *after: int, task: Imitate | None = None, seed: int = 0, **options
) -> tuple[Fit, Halving]:
    keras.utils.set_random_seed(seed)
    compression = Halving(after, **options)
    compression.fit = Fit(
        compression.prepared, task or Imitate(), EPOCHS, 0.03, folder, compression
    )
    return compression.fit, compression


@pytest.mark.slow
def test_a_smaller_model_goes_on_with_what_the_optimizer_knows_of_its_weights(tmp_path):
    training, compression = halving(tmp_path, 2)
    training.run("tiny")
    assert training.model is compression.prepared
    assert [training.model.get_layer(name).units for name in ("first", "second", "last")] == [
        4,
        4,
        BANDS,
    ]
    for before, after in compression.carried["second/kernel"]:
        assert before.shape == (8, 8)
        assert np.array_equal(after, before[::2, ::2])
        assert after.any()
    names = [
        f"{kind}/{part}" for kind in ("first", "second", "last") for part in ("kernel", "bias")
    ]
    for number in range(len(SLOTS)):
        expected = [compression.carried[name][number][1] for name in names]
        assert same(compression.optimizers[2][number], expected)
    assert [len(found) for found in compression.carried.values()] == [len(SLOTS)] * len(names)
    assert (
        int(training.optimizer.iterations) == EPOCHS * PER_EPOCH
    )  # the learning rate goes on falling
    assert training.history[-1].learning_rate == pytest.approx(0.03 / 100, rel=1e-4)


@pytest.mark.slow
def test_the_best_epoch_begins_anew_with_a_smaller_model(tmp_path):
    """The best epochs were those of the larger model, whose weights fit no more."""
    task = Imitate([9.0, 8.0, 1.0, 2.0])
    training, _ = halving(tmp_path, 2, task=task)
    training.run("tiny")
    assert training.best == 2.0
    assert same(values(training.model), task.weights[3])
    with pytest.raises(KeyboardInterrupt):  # right after the larger model went
        halving(tmp_path / "parts", 2, task=Imitate([9.0, 8.0]), stop=2 * PER_EPOCH)[0].run("tiny")
    assert not (tmp_path / "parts" / "best.npz").exists()


@pytest.mark.slow
def test_a_stop_between_a_replacement_and_its_checkpoint_does_no_harm(tmp_path):
    """The best epoch of the larger model is gone, and the checkpoint is still the one before."""
    with pytest.raises(KeyboardInterrupt):
        halving(tmp_path, 2, task=Imitate([9.0]), stop=PER_EPOCH + 1)[0].run("tiny")
    (tmp_path / "best.npz").unlink()
    task = Imitate([8.0, 1.0, 2.0])
    training, compression = halving(tmp_path, 2, task=task)
    training.run("tiny")
    assert compression.carried
    assert training.best == 2.0
    assert same(values(training.model), task.weights[-1])


def test_after_the_last_epoch_no_model_is_replaced(tmp_path):
    task = Imitate([1.0, 2.0, 3.0, 4.0])
    training, compression = halving(tmp_path, EPOCHS, task=task)
    training.run("tiny")
    assert not compression.carried
    assert same(values(training.model), task.weights[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "stop", quick({f"before step {step}": step for step in (3, 10)}, "before step 3")
)
def test_a_stopped_training_continues_across_replacements(tmp_path, stop, halved):
    """Whichever step it stops at: weights, dropout, optimizer and history are those of one that never stopped."""
    whole, history = halved
    with pytest.raises(KeyboardInterrupt):
        halving(tmp_path, 1, 3, stop=stop)[0].run("tiny")
    continued, compression = halving(
        tmp_path, 1, 3, seed=1
    )  # whose own weights, and random numbers, are others
    continued.run("tiny")
    assert len(compression.optimizers) == EPOCHS - stop // PER_EPOCH
    assert same(values(continued.model), values(whole.model))
    assert same(continued.optimizer.variables, whole.optimizer.variables)
    assert continued.best == whole.best
    for mine, theirs in zip(rows(tmp_path), history, strict=True):
        assert mine | {"seconds": ""} == theirs | {"seconds": ""}


@pytest.fixture(scope="module")
def halved(tmp_path_factory) -> tuple[Fit, list[dict[str, str]]]:
    """A training of a model that is halved twice, never stopped, and its history."""
    folder = tmp_path_factory.mktemp("halved")
    training, _ = halving(folder, 1, 3)
    training.run("tiny")
    return training, rows(folder)
