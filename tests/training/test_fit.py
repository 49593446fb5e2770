import csv
import math
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.prepare import prepare, quantizers
from tinyprune.errors import TinypruneError
from tinyprune.models import tinylstm
from tinyprune.training.fit import Fit, learning_rate

BANDS, FRAMES, BATCH, PER_EPOCH, EPOCHS = 8, 5, 4, 3, 4


class Imitate:
    """A task that is fast: give back whether each feature is positive.

    Attributes: metric, what the score is called; scores, how good each epoch was.
    """

    metric = "si_sdr_db"

    def __init__(self, scores: list[float] | None = None, factor: float = 1.0) -> None:
        self.given, self.factor, self.scores = scores, factor, []
        self.weights: list[list[np.ndarray]] = []

    def steps_per_epoch(self) -> int:
        return PER_EPOCH

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        rng = np.random.default_rng(epoch)
        for _ in range(PER_EPOCH):
            yield (rng.normal(size=(BATCH, FRAMES, BANDS)).astype(np.float32),)

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        (features,) = batch
        wanted = tf.cast(features > 0, tf.float32)
        return self.factor * tf.reduce_mean((model(features, training=True) - wanted) ** 2)

    def score(self, model: keras.Model) -> float:
        self.weights.append([np.asarray(variable) for variable in model.variables])
        features = next(self.batches(1000))
        self.scores.append(self.given[len(self.scores)] if self.given else -float(self.loss(model, features)))
        return self.scores[-1]


def dense(*hidden: int) -> keras.Model:
    layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
    return keras.Sequential([keras.Input((FRAMES, BANDS)), *layers, keras.layers.Dense(BANDS, activation="sigmoid")])


def fit(folder: Path, task: Imitate, epochs: int = EPOCHS, build=dense) -> Fit:
    """A training of an int8 network with masks, the same one every time."""
    keras.utils.set_random_seed(0)
    model = prepare(build())
    for quantizer in quantizers(model):
        if not quantizer.fixed:
            quantizer.low.assign(-4.0)
            quantizer.high.assign(4.0)
    return Fit(model, task, epochs, 0.03, folder)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def same(left: list, right: list) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def values(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in model.variables]


def test_the_loss_goes_down_and_the_history_says_so(tmp_path):
    task, steps = Imitate(), []
    training = fit(tmp_path, task, epochs=8)
    training.run("tiny", before_step=steps.append)
    records = training.history
    assert records[-1].loss < 0.9 * records[0].loss
    assert task.scores[-1] > task.scores[0]
    assert [record.epoch for record in records] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [record.step for record in records] == [PER_EPOCH * epoch for epoch in range(1, 8 + 1)]
    assert [record.score for record in records] == task.scores
    assert steps == list(range(8 * PER_EPOCH)) == list(range(training.steps))
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


def test_gradients_are_shown_to_whoever_asks_for_them(tmp_path):
    """In the compiled step, one per trainable variable, before they are clipped and applied."""
    seen = tf.Variable(tf.zeros(PER_EPOCH))
    step = tf.Variable(0)

    def observe(variables, gradients):
        assert [tuple(v.shape) for v in variables] == [tuple(g.shape) for g in gradients]
        seen.scatter_nd_update([[step]], [tf.norm(gradients[0])])
        step.assign_add(1)

    small = fit(tmp_path / "small", Imitate([0.0], 1.0), epochs=1)
    Fit(small.model, Imitate([0.0], 1e4), 1, 0.03, tmp_path, observe).run("tiny")
    assert int(step) == PER_EPOCH
    assert (seen.numpy() > 5).all()  # the norm that gradients are clipped to


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
    training = fit(tmp_path, task)
    asked = []
    training.run("tiny", counts=lambda step: asked.append(step) or step > 2 * PER_EPOCH)
    assert asked == [PER_EPOCH * epoch for epoch in range(1, EPOCHS + 1)]
    assert training.best == 2.0
    assert same(values(training.model), task.weights[3])


def test_a_stopped_training_continues_as_if_nothing_had_happened(tmp_path):
    def build() -> keras.Model:
        return tinylstm.build((None, BANDS), BANDS, 6, 5)

    whole = fit(tmp_path / "whole", Imitate(), build=build)
    whole.run("tiny")

    def stop(step: int) -> None:
        if step == 2 * PER_EPOCH + 1:  # within the third epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", Imitate(), build=build).run("tiny", before_step=stop)
    assert len(rows(tmp_path / "parts")) == 2
    continued, steps = fit(tmp_path / "parts", Imitate(), build=build), []
    continued.run("tiny", before_step=steps.append)
    assert steps == list(range(2 * PER_EPOCH, EPOCHS * PER_EPOCH))
    assert same(values(continued.model), values(whole.model))
    assert same(continued.optimizer.variables, whole.optimizer.variables)
    assert continued.best == whole.best
    for mine, theirs in zip(rows(tmp_path / "parts"), rows(tmp_path / "whole"), strict=True):
        assert mine | {"seconds": ""} == theirs | {"seconds": ""}


def test_the_best_epoch_may_lie_before_the_stop(tmp_path):
    def stop(step: int) -> None:
        if step == 2 * PER_EPOCH:
            raise KeyboardInterrupt

    first = Imitate([5.0, 1.0])
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, first).run("tiny", before_step=stop)
    continued = fit(tmp_path, Imitate([2.0, 3.0]))
    continued.run("tiny")
    assert continued.best == 5.0
    assert same(values(continued.model), first.weights[0])


def test_a_finished_training_trains_no_more(tmp_path):
    finished = fit(tmp_path, Imitate())
    finished.run("tiny")
    again = fit(tmp_path, Imitate())
    again.run("tiny", before_step=lambda step: pytest.fail("it trained"))
    assert same(values(again.model), values(finished.model))
    assert len(again.history) == EPOCHS


def test_nothing_half_written_is_left(tmp_path):
    fit(tmp_path, Imitate(), epochs=1).run("tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.npz", "checkpoint.npz", "history.csv"]


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
    "damage", [lambda raw: b"", lambda raw: b"text", lambda raw: raw[: len(raw) // 2]], ids=["empty", "text", "cut off"]
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    np.savez(path, v0000=np.zeros(1000), state=np.array("{}"))
    path.write_bytes(damage(path.read_bytes()))
    refused(tmp_path)


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_says_what_to_try(tmp_path, factor):
    with pytest.raises(TinypruneError, match="^the loss of epoch 1 is not finite: try a smaller --learning-rate$"):
        fit(tmp_path, Imitate(factor=factor)).run("tiny")
    assert not list(tmp_path.iterdir())


def test_no_epoch_that_counts_is_an_error(tmp_path):
    with pytest.raises(TinypruneError, match="^no epoch has a score on dev"):
        fit(tmp_path, Imitate(), epochs=1).run("tiny", counts=lambda step: False)


def test_gradients_are_clipped(tmp_path):
    """However large the loss is, a step of Adam with clipped gradients is the same as from one barely too large."""
    large, huge = (fit(tmp_path / str(factor), Imitate([0.0], factor), epochs=1) for factor in (1e4, 1e8))
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
