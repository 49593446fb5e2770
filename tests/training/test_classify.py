import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import prepare
from tinyprune.data.examples import Examples
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.data.labelled import LabelledDataset
from tinyprune.metrics.classification import probabilities
from tinyprune.training.classify import Classify
from tinyprune.training.endings import Ending, ending

FRONTEND = ImageFrontEnd((4,), "none", (0.0,) * 4, (1.0,) * 4)
LABELS = np.arange(12) % 3
INPUTS = np.eye(4, dtype=np.float32)[LABELS] + np.random.default_rng(0).normal(
    0, 0.1, (12, 4)
).astype(np.float32)
DATASET = LabelledDataset(
    {"train": Examples(INPUTS, LABELS), "dev": Examples(INPUTS[:7], LABELS[:7])},
    ("a", "b", "c"),
    FRONTEND,
    0,
)
BATCH = (tf.constant(INPUTS), tf.constant(LABELS))


def linear(seed: int = 0, activation: str | None = None) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation=activation)])


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_the_loss_is_the_cross_entropy():
    model = linear()
    chances = softmax(INPUTS @ model.layers[0].kernel.numpy())
    expected = -np.mean([np.log(chances[i, label]) for i, label in enumerate(LABELS)])
    assert float(Classify(DATASET, 4).loss(model, BATCH)) == pytest.approx(expected, rel=1e-5)


def test_scores_and_probabilities_have_the_same_loss():
    scores, chances = linear(), linear(activation="softmax")
    learner = Classify(DATASET, 4)
    assert float(learner.loss(chances, BATCH)) == pytest.approx(
        float(learner.loss(scores, BATCH)), rel=1e-5
    )


def test_a_teacher_adds_the_divergence_from_what_it_thinks():
    model, teacher = linear(0), linear(1, "softmax")
    own, taught = softmax(model(INPUTS).numpy()), teacher(INPUTS).numpy()
    divergence = np.mean(np.sum(taught * np.log(taught / own), axis=1))
    alone = float(Classify(DATASET, 4).loss(model, BATCH))
    assert float(Classify(DATASET, 4, teacher=teacher).loss(model, BATCH)) == pytest.approx(
        alone + divergence, rel=1e-4
    )
    itself = Classify(DATASET, 4, teacher=model)
    assert float(itself.loss(model, BATCH)) == pytest.approx(
        alone, rel=1e-5
    )  # nothing to learn from oneself


def test_a_certain_network_that_is_wrong_has_a_finite_loss_and_gradient():
    model = linear(activation="softmax")
    model.layers[0].kernel.assign(-1e4 * np.eye(4, 3))
    with tf.GradientTape() as tape:
        loss = Classify(DATASET, 4).loss(model, BATCH)
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, model.layers[0].kernel.value).numpy()).all()


def test_the_score_is_the_accuracy_on_dev():
    model = linear()
    model.layers[0].kernel.assign(np.eye(4, 3)[:, [0, 1, 1]] * np.array([1, 1, 0.5]))
    right = (LABELS[:7] != 2).sum()  # what is of the last class scores highest for none
    learner = Classify(DATASET, 4)
    assert learner.metric == "accuracy"
    assert learner.score(model) in (right / 7, (right + 1) / 7, (right + 2) / 7)
    expected = np.mean(np.argmax(model(INPUTS[:7]).numpy(), axis=1) == LABELS[:7])
    assert learner.score(model) == pytest.approx(expected)


def test_batches_are_those_of_the_dataset_and_follow_the_seed():
    learner = Classify(DATASET, 5, seed=1)
    assert learner.steps_per_epoch() == 12 // 5
    found = list(learner.batches(0))
    assert [labels.shape for _, labels in found] == [(5,), (5,)]
    again, other = (
        list(Classify(DATASET, 5, seed=1).batches(0)),
        list(Classify(DATASET, 5, seed=2).batches(0)),
    )
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(found, again, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(found, other, strict=True))


INPUT = keras.Input((4,))
ENDINGS = {
    "fused": lambda: linear(activation="softmax"),
    "activation layer": lambda: keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.Activation("softmax")]
    ),
    "softmax layer": lambda: keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.Softmax()]
    ),
    "operation": lambda: keras.Model(INPUT, keras.ops.softmax(layers.Dense(3)(INPUT))),
    "nested": lambda: keras.Model(INPUT, linear(activation="softmax")(INPUT)),
    "in another shape": lambda: keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, activation="softmax"),
            layers.Reshape((3, 1)),
            layers.Flatten(),
        ]
    ),
    "not after a kernel": lambda: keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6),
            layers.Reshape((2, 3)),
            layers.GlobalMaxPooling1D(),
            layers.Softmax(),
        ]
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_softmax_at_the_end_is_found_before_and_after_int8(name):
    model = ENDINGS[name]()
    assert ending(model) is Ending.SOFTMAX
    assert ending(prepare(model, masked=False, quantized=False)) is Ending.SOFTMAX
    assert ending(prepare(fold(model))) is Ending.SOFTMAX


def test_other_endings_are_scores():
    assert ending(linear()) is Ending.SCORES
    assert ending(prepare(fold(linear(activation="relu")))) is Ending.SCORES


def test_probabilities_stay_and_scores_become_some():
    chances = np.array(
        [[0.5, 0.5, 0.0], [0.25, 0.25, 0.46]]
    )  # as int8 leaves them: they sum to about 1
    assert probabilities(chances) is chances
    scores = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]])
    np.testing.assert_allclose(probabilities(scores)[0], softmax(scores[:1])[0])
    np.testing.assert_allclose(probabilities(scores)[1], [1, 0, 0], atol=1e-12)


TWO_LABELS = LABELS % 2
TWO = LabelledDataset(
    {"train": Examples(INPUTS, TWO_LABELS), "dev": Examples(INPUTS, TWO_LABELS)},
    ("no", "yes"),
    FRONTEND,
    0,
)


def one_unit(activation: str | None) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), layers.Dense(1, activation=activation)])


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_unit_is_the_chance_of_the_second_of_two_classes(activation: str | None):
    model, learner = one_unit(activation), Classify(TWO, 4)
    chance = 1 / (1 + np.exp(-INPUTS @ model.layers[0].kernel.numpy()[:, 0]))
    expected = -np.mean(np.log(np.where(TWO_LABELS == 1, chance, 1 - chance)))
    batch = (tf.constant(INPUTS), tf.constant(TWO_LABELS))
    assert float(learner.loss(model, batch)) == pytest.approx(expected, rel=1e-5)
    assert learner.score(model) == np.mean((chance > 0.5) == TWO_LABELS)


def test_a_sigmoid_per_class_asks_each_class():
    model = linear(activation="sigmoid")
    chances = 1 / (1 + np.exp(-INPUTS @ model.layers[0].kernel.numpy()))
    right = np.where(np.eye(3)[LABELS] == 1, chances, 1 - chances)
    expected = -np.mean(np.sum(np.log(right), axis=1))
    alone = float(Classify(DATASET, 4).loss(model, BATCH))
    assert alone == pytest.approx(expected, rel=1e-5)
    itself = Classify(DATASET, 4, teacher=model)
    assert float(itself.loss(model, BATCH)) == pytest.approx(alone, rel=1e-5)


def test_a_wrong_sigmoid_that_is_sure_still_learns_in_int8():
    prepared = prepare(fold(one_unit("sigmoid")))
    head = prepared.layers[-1]
    head.bias.assign([8.0])  # a chance of 0.9997, above the largest of its grid, 255/256
    for grid in (head.argument, prepared.layers[1]):
        grid.low.assign(-9.0), grid.high.assign(9.0)
    with tf.GradientTape() as tape:
        loss = Classify(TWO, 4).loss(prepared, (tf.constant(INPUTS), tf.zeros(12, tf.int64)))
    assert tape.gradient(loss, head.bias.value)[0] > 0.9


def test_one_unit_has_two_columns():
    np.testing.assert_allclose(probabilities(np.array([[0.25], [1.0]])), [[0.75, 0.25], [0, 1]])
    np.testing.assert_allclose(
        probabilities(np.array([[0.0], [np.log(3)]])), [[0.5, 0.5], [0.25, 0.75]]
    )
