"""The task of several outputs: losses, weights and metrics by name."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import several
from tinyprune.config import ArrayData, RunConfig, TrainConfig, from_mapping
from tinyprune.data.arrays.dataset import load
from tinyprune.errors import UsageError
from tinyprune.models.ends import with_names
from tinyprune.tasks.lookup import task_of
from tinyprune.tasks.shape_check import fitted
from tinyprune.training.criteria import Answer
from tinyprune.training.endings import Ending, endings

COUNT = 40


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    rng = np.random.default_rng(0)
    inputs = several.inputs(COUNT)
    arrays = {f"x_{name}": inputs[name] for name in inputs.dtype.names}
    arrays |= {
        "y_kind": np.arange(COUNT) % 3,
        "y_box": rng.normal(size=(COUNT, 2)),
        "y_alarm": rng.integers(0, 2, (COUNT, 2)),
    }
    np.savez(folder / "file.npz", **arrays)
    return load(ArrayData(arrays=str(folder / "file.npz")), folder)


def test_the_loss_is_the_weighted_sum_of_the_losses_of_the_outputs(dataset):
    config = TrainConfig(loss="box=mae", loss_weights="box=0.5,kind=2")
    criterion = task_of(dataset, config).criterion(config)
    targets = {
        "kind": tf.constant([0]),
        "box": tf.constant([[1.0, 2.0]]),
        "alarm": tf.constant([[1.0, 0.0]]),
    }
    answer = {
        "kind": Answer(tf.constant([[0.5, 0.25, 0.25]]), Ending.SOFTMAX),
        "box": Answer(tf.constant([[2.0, 5.0]]), Ending.SCORES),
        "alarm": Answer(tf.constant([[0.5, 0.5]]), Ending.SIGMOID),
    }
    # -log 0.5 twice, the mean of |1| and |3| half, and the mean of -log 0.5 and -log 0.5
    expected = 2 * np.log(2) + 0.5 * 2 + np.log(2)
    assert float(criterion.loss(targets, answer)) == pytest.approx(expected, rel=1e-5)


def test_the_mean_score_is_that_of_the_main_metrics(dataset):
    task = task_of(dataset, TrainConfig(loss_weights="kind=3"))
    assert task.default_metrics == ("mean_score", "alarm.f1", "box.r2", "kind.accuracy")
    _, targets = dataset.examples("dev")
    outputs = np.zeros(len(targets), targets.dtype.descr[:2] + [("kind", np.float32, (3,))])
    outputs["alarm"] = targets["alarm"]  # F1 1
    outputs["box"] = targets["box"]  # R2 1
    outputs["kind"] = np.eye(3)[(targets["kind"] + 1) % 3]  # accuracy 0
    wanted = [*task.default_metrics, "box.mse"]
    items, whole = task.measures.score(targets, outputs, wanted)
    assert whole["alarm.f1"] == 1
    assert whole["box.r2"] == pytest.approx(1)
    assert items[0]["kind.accuracy"] == 0
    assert items[0]["box.mse"] == pytest.approx(0, abs=1e-9)
    assert whole["mean_score"] == pytest.approx((1 + 1 + 3 * 0) / 5)


def test_the_endings_of_a_network_are_by_output():
    assert endings(with_names(several.network())) == {
        "alarm": Ending.SIGMOID,
        "box": Ending.SCORES,
        "kind": Ending.SOFTMAX,
    }


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"loss": "mse"},
            "train.loss: 'mse' for several outputs: name each, as in "
            "alarm=binary-cross-entropy,box=mse,kind=cross-entropy",
        ),
        ({"loss": "bax=mse"}, "train.loss: 'bax' is none of the outputs: alarm, box, kind"),
        ({"loss": "kind=mse"}, "train.loss: 'mse' is no loss of classification"),
        ({"loss_weights": "bax=1"}, "train.loss_weights: 'bax' is none of the outputs"),
    ],
)
def test_a_loss_of_what_is_not_there_is_refused(dataset, settings, line):
    config = TrainConfig(**settings)
    with pytest.raises(UsageError) as caught:
        task_of(dataset, config).criterion(config)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"loss": "kind=focal,box"}, "train.loss: expected NAME=VALUE,..., each name once"),
        ({"loss": "kind=fokal"}, "unknown loss 'fokal': did you mean 'focal'"),
        ({"loss_weights": "box=-1"}, "train.loss_weights: expected OUTPUT=NUMBER,... above 0"),
        ({"loss_weights": "0.5"}, "train.loss_weights: expected OUTPUT=NUMBER,... above 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_anything_is_loaded(table, line):
    with pytest.raises(UsageError) as caught:
        from_mapping({"train": table}, RunConfig)
    assert str(caught.value).startswith(line)


def test_a_network_that_does_not_fit_is_refused_with_both_names_or_shapes(dataset):
    import keras

    task = task_of(dataset, TrainConfig())
    assert fitted(with_names(several.network()), task)
    one = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="one")
    with pytest.raises(
        UsageError, match="takes one of the inputs: the data have the inputs angle, pi"
    ):
        fitted(one, task)
    ends = [keras.Input((4,), name="angle"), keras.Input((6, 6, 1), name="picture")]
    outputs = {"kind": keras.layers.Dense(3)(ends[0]), "box": ends[0], "alarm": ends[0]}
    wrong = keras.Model(dict(zip(("angle", "picture"), ends, strict=True)), outputs, name="wrong")
    with pytest.raises(UsageError, match=r"input 'angle' of shape \(4,\): the data have \(3,\)"):
        fitted(wrong, task)
