"""Networks that a pruning has destroyed, told by their scores on dev."""

import math

import keras
import numpy as np
import pytest

from tinyprune.artifacts.network import TensorSparsity, TFLiteArtifact, least_left, nearly_empty
from tinyprune.artifacts.quality import Quality
from tinyprune.data.examples import Examples
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.data.labelled import LabelledDataset
from tinyprune.errors import CheckFailed
from tinyprune.stages.collapse import check_above_chance, check_learned
from tinyprune.storage.records import write_json
from tinyprune.tasks.classification import Classification

TENSORS = (TensorSparsity("first/kernel", 100, 100, 100), TensorSparsity("last/kernel", 50, 0, 0))


@pytest.fixture
def task() -> Classification:
    """100 dev examples, 40 of which are of one class."""
    labels = np.repeat(np.arange(4), [40, 20, 20, 20])
    examples = Examples(np.zeros((100, 2, 2, 3), np.uint8), labels)
    frontend = ImageFrontEnd((2, 2, 3), "unit", (0.0,) * 3, (255.0,) * 3)
    splits = {"train": examples, "dev": examples}
    return Classification(LabelledDataset(splits, tuple("abcd"), frontend, 0))


def quality(form: str, accuracy: float) -> Quality:
    return Quality(form, "dev", 100, 0, {"accuracy": accuracy})


@pytest.fixture
def folder(tmp_path):
    record = TFLiteArtifact(tmp_path / "int8.tflite", "", 1, 1, 1.0, 0, 1.0, 0, TENSORS)
    write_json(tmp_path / "int8.json", record)
    return tmp_path


def test_chance_is_the_largest_class_and_two_deviations(task):
    assert task.chance() == pytest.approx(0.4 + 2 * math.sqrt(0.4 * 0.6 / 100))
    assert task.is_at_chance(0.4)
    assert task.is_at_chance(math.nan)
    assert not task.is_at_chance(0.6)


def test_a_graph_at_chance_is_a_failed_check_that_names_the_emptiest_layer(task, folder):
    with pytest.raises(CheckFailed, match="which is chance: .*nothing is left of first/kernel"):
        check_above_chance("w", quality("float", 0.9), [quality("int8", 0.41)], task, folder)


@pytest.mark.parametrize(("before", "after"), [(0.9, 0.6), (0.41, 0.39)])
def test_a_graph_that_knows_something_or_never_knew_anything_is_fine(before, after, task, folder):
    check_above_chance("w", quality("float", before), [quality("int8", after)], task, folder)


def test_the_emptiest_kernel_in_words():
    assert least_left(TENSORS) == "nothing is left of first/kernel"
    assert least_left([TensorSparsity("a", 1000, 0, 997)]) == "0.30% of a is left"


def test_kernels_that_lost_nearly_everything_are_those_with_a_tenth_of_what_all_keep():
    kept = TensorSparsity("kept", 1000, 500, 500)
    near = TensorSparsity("near", 1000, 0, 960)  # 0.04, and a tenth of 0.27 is less
    lost = TensorSparsity("lost", 1000, 0, 980)
    assert nearly_empty([kept, near]) == ""
    assert nearly_empty([kept, lost]) == "2.00% of lost is left"


# --- networks that have learned nothing


def task_of(counts: list[int]) -> Classification:
    """Dev examples, so many of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    examples = Examples(np.zeros((len(labels), 2, 2, 3), np.uint8), labels)
    frontend = ImageFrontEnd((2, 2, 3), "unit", (0.0,) * 3, (255.0,) * 3)
    classes = tuple("abcdefgh"[: len(counts)])
    return Classification(
        LabelledDataset({"train": examples, "dev": examples}, classes, frontend, 0)
    )


def test_few_examples_cannot_tell_what_is_chance():
    # Two deviations of 50 %: 2 * sqrt(0.25 / 99) = 0.1005 of 99 examples, 0.0995 of 101.
    assert not task_of([50, 49]).can_tell_chance()
    assert task_of([51, 50]).can_tell_chance()


def test_nothing_is_learned_where_accuracy_and_auc_are_both_at_chance(task):
    assert task.shows_nothing({"accuracy": 0.41, "auc": 0.51})
    assert not task.shows_nothing({"accuracy": 0.41, "auc": 0.8})  # it ranks, rarely above 1/2
    assert not task.shows_nothing({"accuracy": 0.6, "auc": 0.51})
    assert not task.shows_nothing({"accuracy": 0.41, "auc": math.nan})


@pytest.mark.parametrize(("counts", "stops"), [([60, 60], True), ([6, 6], False)])
def test_a_network_that_answers_the_same_to_everything_is_not_pruned(counts, stops):
    inputs = keras.Input((2, 2, 3))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
    constant = keras.Model(inputs, outputs)
    if stops:
        with pytest.raises(CheckFailed, match=r"baseline: accuracy 0.500 .* chance.*--force"):
            check_learned("baseline", constant, task_of(counts))
    else:
        check_learned("baseline", constant, task_of(counts))
