"""The tasks, as the stages of a run see them."""

import subprocess
import sys

import numpy as np
import pytest

from tinyprune.artifacts.quality import TaskRecord
from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import TrainConfig
from tinyprune.data.clips import Clip, open_store
from tinyprune.data.examples import Examples
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.data.labelled import LabelledDataset
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.errors import UsageError
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.registry import LOSSES, METRICS, TASKS
from tinyprune.storage.records import write_json
from tinyprune.tasks.classification import Classification
from tinyprune.tasks.examples import BATCH
from tinyprune.tasks.lookup import task_of
from tinyprune.tasks.speech import Speech

CONFIG = TrainConfig(batch_size=2, frames=10)
#: Tasks whose losses and metrics are known by name; those of a user and of several outputs are known when
#: they are there.
NAMED = [name for name in TASKS if name not in ("own", "several")]


def labelled(dev: int = 10, shape: tuple[int, ...] = (4, 4, 3)) -> LabelledDataset:
    """Images (12, ...) to train on and ``dev`` more, of three classes in turn."""
    rng = np.random.default_rng(0)

    def examples(count: int) -> Examples:
        return Examples(
            rng.integers(0, 255, (count, *shape)).astype(np.uint8), np.arange(count) % 3
        )

    frontend = ImageFrontEnd(shape, "unit", (0.0,) * shape[-1], (255.0,) * shape[-1])
    return LabelledDataset(
        {"train": examples(12), "dev": examples(dev)}, ("a", "b", "c"), frontend, 0
    )


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> MixtureDataset:
    folder, rng = tmp_path_factory.mktemp("store"), np.random.default_rng(0)

    def store(kind: str):
        clips = [Clip(str(i), kind, rng.normal(0, 0.1, 30_000)) for i in range(3)]
        return open_store(folder / f"{kind}.pcm", clips)

    splits = {
        name: SpeechAndNoise(store(f"{name} speech"), store(f"{name} noise"))
        for name in ("train", "dev")
    }
    return MixtureDataset(splits, Mixing((0.0, 0.0)), 2, 0)


# --- its facts
# --------------------------------------------------------------------------------------------------------

FACTS = """
import sys
from tinyprune.registry import TASKS
for name, task in TASKS.items():
    print(name, task.name, *[form.name for form in task.forms], getattr(task, "default_metrics", ()))
print([name for name in ("tensorflow", "keras", "librosa", "scipy") if name in sys.modules])
"""


def test_the_facts_of_all_tasks_are_read_without_anything_heavy():
    command = [sys.executable, "-c", FACTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    *facts, heavy = done.stdout.splitlines()
    assert [line.split()[:4] for line in facts] == [
        ["speech", "speech", "streaming", "sequence"],
        ["classification", "classification", "int8", "('accuracy',"],
        ["multilabel", "multilabel", "int8", "('f1',"],
        ["regression", "regression", "int8", "('r2',"],
        ["reconstruction", "reconstruction", "int8", "('mse',"],
        ["anomaly", "anomaly", "int8", "('auc',"],
        ["several", "several", "int8", "()"],
        ["own", "own", "int8", "()"],
    ]
    assert heavy == "[]"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_of_a_task(metric):
    assert metric_of(metric).tasks
    assert set(metric_of(metric).tasks) <= set(TASKS)


@pytest.mark.parametrize("name", NAMED)
def test_what_a_task_measures_are_its_metrics(name):
    task = TASKS[name]
    assert task.metric == task.checked_metrics[0]
    for metric in (*task.default_metrics, *task.checked_metrics):
        assert name in metric_of(metric).tasks


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_of_a_task(loss):
    assert any(loss in task.losses for task in TASKS.values())


@pytest.mark.parametrize("name", NAMED)
def test_a_task_takes_its_own_losses_and_its_first_where_none_is_named(name):
    task = object.__new__(TASKS[name])
    assert set(task.losses) <= set(LOSSES)
    assert [task.loss_of(TrainConfig(loss=loss)) for loss in task.losses] == [*task.losses]
    assert task.loss_of(TrainConfig()) == task.losses[0]
    other = next(loss for loss in LOSSES if loss not in (*task.losses, "si-sdr"))
    with pytest.raises(UsageError, match=f"'{other}' is no loss of {name}: expected"):
        task.loss_of(TrainConfig(loss=other))


def test_the_form_of_a_graph_follows_from_the_frames_of_a_call():
    assert [Speech.form_of_graph(frames) for frames in (1, 100, 7)] == [
        "streaming",
        "sequence",
        "sequence",
    ]
    assert Classification.form_of_graph(1) == "int8"


# --- which one
# --------------------------------------------------------------------------------------------------------


def test_labels_make_a_classification():
    task = task_of(labelled(), CONFIG)
    assert isinstance(task, Classification)
    assert task.record == TaskRecord("classification", "accuracy", ("int8",), None, ("a", "b", "c"))
    assert (task.input_shape, task.output_shape) == ((4, 4, 3), (3,))


def test_mixtures_make_speech_enhancement(speech):
    task = task_of(speech, CONFIG)
    assert isinstance(task, Speech)
    assert task.record == TaskRecord("speech", "si_sdr_db", ("streaming", "sequence"), 256 / 16_000)
    assert (task.input_shape, task.output_shape) == ((None, 128), (None, 128))
    assert len(task.frontend.mean) == 128


def test_a_front_end_that_was_measured_before_is_kept(speech, tmp_path):
    known = FrontEnd(mean=(0.5,) * 128, std=(2.0,) * 128)
    write_json(tmp_path / "frontend.json", known)
    assert task_of(speech, CONFIG, tmp_path / "frontend.json").frontend == known


@pytest.mark.parametrize(
    ("shape", "model"),
    [
        ((8, 8, 3), "resnet8"),
        ((49, 10, 1), "ds_cnn"),
        ((28, 28, 1), "ds_cnn"),
        ((64, 6), "conv1d"),
        ((12,), "mlp"),
    ],
)
def test_the_model_of_a_classification_follows_the_channels(shape, model):
    assert Classification(labelled(shape=shape)).default_model == model


# --- classification
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dev", "tolerance"), [(10, 2 / 10), (100, 0.02), (1000, 0.02)])
def test_of_few_examples_two_may_fall_otherwise_in_int8(dev, tolerance):
    assert Classification(labelled(dev)).tolerance == tolerance


def test_classes_are_scored_in_batches_of_the_whole_split():
    task, seen = Classification(labelled(dev=BATCH + 5)), []

    def forward(inputs):
        seen.append(inputs.shape)
        return np.tile([0.0, 5.0, 1.0], (len(inputs), 1))

    found = task.quality(forward, "float", "dev")
    assert seen == [(BATCH, 4, 4, 3), (5, 4, 4, 3)]
    assert (found.form, found.split, found.utterances, found.undefined) == (
        "float",
        "dev",
        BATCH + 5,
        0,
    )
    assert found.metrics == {
        "accuracy": pytest.approx((np.arange(BATCH + 5) % 3 == 1).mean()),
        "auc": 0.5,
    }


def test_scores_of_classes_are_right_or_wrong_and_the_auc_is_one_figure():
    task = Classification(labelled(dev=4))
    found = task.scores(
        lambda inputs: np.tile([0.0, 5.0, 1.0], (len(inputs), 1)),
        "int8",
        "dev",
        ("accuracy", "auc"),
    )
    assert [item.metrics for item in found.items] == [
        {"accuracy": right} for right in (0.0, 1.0, 0.0, 0.0)
    ]
    assert [(item.name, item.category, item.snr_db) for item in found.items][:2] == [
        ("0", "a", None),
        ("1", "b", None),
    ]
    assert found.whole == {"auc": 0.5}
    only = task.scores(lambda inputs: np.ones((len(inputs), 3)), "int8", "dev", ("accuracy",))
    assert only.whole == {}
    assert task.unprocessed_scores("dev", ("accuracy",)) is None


def test_inputs_of_classes_are_features_and_alone_are_nothing():
    task = Classification(labelled())
    calibration = task.calibration()
    assert calibration.shape == (12, 4, 4, 3)
    assert calibration.dtype == np.float32
    assert calibration.max() <= 1
    assert task.unprocessed("dev") is None


def test_the_learner_of_classes_trains_on_train_and_scores_on_dev():
    learner = Classification(labelled()).learner(CONFIG, 0)
    assert learner.metric == "accuracy"
    assert learner.steps_per_epoch() == 12 // 2
    features, labels = next(iter(learner.batches(0)))
    assert (features.shape, labels.shape) == ((2, 4, 4, 3), (2,))


def test_weights_of_classes_have_mean_1_over_the_examples():
    task = Classification(labelled())
    task.dataset.splits["train"].labels[:] = [0] * 6 + [1] * 4 + [2] * 2
    # 1/6, 1/4 and 1/2 for 6, 4 and 2 examples: together 3, so 1/12 * 3 per example
    assert task._class_weights("balanced") == pytest.approx((4 / 6, 4 / 4, 4 / 2))
    assert task._class_weights("1,1,4") == pytest.approx((12 / 18, 12 / 18, 48 / 18))
    with pytest.raises(UsageError, match="2 weights for 3 classes: expected one each, in the "):
        task._class_weights("1,2")


# --- speech
# -----------------------------------------------------------------------------------------------------------


def test_a_mask_of_ones_is_the_mixture_as_it_is(speech):
    task = task_of(speech, CONFIG)
    whole, noisy = task.quality(np.ones_like, "float", "dev"), task.unprocessed("dev")
    assert (whole.form, noisy.form) == ("float", "noisy")
    assert whole.utterances + whole.undefined == noisy.utterances + noisy.undefined == 2
    assert whole.metrics["si_sdr_db"] == pytest.approx(noisy.metrics["si_sdr_db"], abs=0.01)


def test_features_for_calibration_are_consecutive_frames(speech, monkeypatch):
    from tinyprune.data.speech import calibration

    monkeypatch.setattr(calibration, "SEQUENCES", 2)
    monkeypatch.setattr(calibration, "FRAMES", 20)
    assert task_of(speech, CONFIG).calibration().shape == (2 * 20, 128)


def test_scores_of_speech_are_those_of_every_mixture_in_order(speech):
    task = task_of(speech, CONFIG)
    found = task.scores(np.ones_like, "float", "dev", ("stoi", "si_sdr_db"), "mine")
    mixtures = speech.utterances("dev")
    assert (found.model, found.form, found.split, found.metrics) == (
        "mine",
        "float",
        "dev",
        ("stoi", "si_sdr_db"),
    )
    assert [item.name for item in found.items] == [mixture.name for mixture in mixtures]
    assert [item.snr_db for item in found.items] == [0.0, 0.0]
    assert [item.category for item in found.items] == [mixture.category for mixture in mixtures]
    for item, mixture in zip(found.items, mixtures, strict=True):
        assert item.metrics["si_sdr_db"] == pytest.approx(
            si_sdr_db(mixture.clean, mixture.noisy), abs=0.01
        )
        assert 0 < item.metrics["stoi"] < 1


def test_the_mixtures_as_they_are_are_scored_once(speech, monkeypatch):
    task = task_of(speech, CONFIG)
    found = task.unprocessed_scores("dev", ("si_sdr_db",))
    assert (found.model, found.form) == ("-", "noisy")
    monkeypatch.setattr("tinyprune.tasks.speech.score_all", lambda *_: pytest.fail("again"))
    assert task.unprocessed_scores("dev", ("si_sdr_db",)) is found


def test_the_learner_of_speech_trains_on_mixtures(speech):
    learner = task_of(speech, CONFIG).learner(CONFIG, 0)
    assert learner.metric == "si_sdr_db"
    noisy, clean = next(iter(learner.batches(0)))
    assert noisy.shape == clean.shape == (2, (10 + 1) * 256)
