import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tinyprune.data.examples import Examples, features
from tinyprune.data.labelled import LabelledDataset, check_classes, hold_out_examples
from tinyprune.errors import UsageError


@dataclass(frozen=True)
class Halved:
    """Features that are half of the input."""

    shape: tuple[int, ...] = (2,)
    divisor: float = 2.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def features(self, raw):
        return (raw / self.divisor).astype(np.float32)


def examples(count, classes=3, first=0):
    numbers = np.arange(first, first + count)
    return Examples(
        np.stack([numbers, -numbers], axis=1).astype(np.int16), numbers.astype(np.int64) % classes
    )


def dataset(train=20, classes=3, **settings):
    splits = {"train": examples(train, classes), "dev": examples(6, classes, 100)}
    return LabelledDataset(
        splits, tuple("abcdefgh"[:classes]), Halved(), **({"seed": 0} | settings)
    )


def flat(batches):
    return [(made.tobytes(), labels.tolist()) for made, labels in batches]


def test_an_epoch_holds_whole_batches_of_different_examples():
    data = dataset(20)
    batches = list(data.batches(0, 6))
    assert len(batches) == data.batches_per_epoch(6) == 20 // 6
    assert {made.shape for made, _ in batches} == {(6, 2)}
    assert {made.dtype for made, _ in batches} == {np.dtype(np.float32)}
    numbers = np.concatenate([2 * made[:, 0] for made, _ in batches])
    assert len(set(numbers)) == 18
    assert np.concatenate([labels for _, labels in batches]).tolist() == (numbers % 3).tolist()


def test_fewer_examples_than_a_batch_are_one_batch():
    [(made, labels)] = dataset(5).batches(0, 64)
    assert (made.shape, labels.shape) == ((5, 2), (5,))


def test_an_epoch_is_the_same_for_the_same_seeds_only():
    data = dataset(augment=lambda raw, rng: raw + rng.normal(size=raw.shape))
    again = flat(data.batches(3, 4, seed=1))
    assert flat(data.batches(3, 4, seed=1)) == again
    assert flat(data.batches(4, 4, seed=1)) != again
    assert flat(data.batches(3, 4, seed=2)) != again
    assert flat(replace(data, seed=1).batches(3, 4, seed=1)) != again


def test_only_training_batches_are_varied():
    data = dataset(augment=lambda raw, rng: raw + 1000)
    assert next(data.batches(0, 4))[0].max() >= 500
    assert data.examples("train")[0].max() < 500
    assert data.calibration().max() < 500


def test_examples_are_in_order():
    made, labels = dataset().examples("dev")
    assert made[:, 0].tolist() == [number / 2 for number in range(100, 106)]
    assert labels.tolist() == [number % 3 for number in range(100, 106)]


def test_features_of_many_examples_are_those_of_each():
    inputs = np.random.default_rng(0).integers(0, 99, (600, 2))
    np.testing.assert_array_equal(features(Halved(), inputs), inputs / 2)


def test_calibration_has_as_many_of_each_class():
    labels = np.repeat([0, 1, 2], [500, 40, 100])
    inputs = np.stack([labels, np.arange(len(labels))], axis=1)
    data = replace(dataset(), splits={"train": Examples(inputs, labels)})
    made = data.calibration() * 2
    share = 256 // 3
    assert np.bincount(made[:, 0].astype(int)).tolist() == [share, 40, share]
    assert len(set(made[:, 1])) == len(made)
    np.testing.assert_array_equal(data.calibration(), made / 2)


def test_an_unknown_split_is_one_line():
    with pytest.raises(UsageError) as caught:
        dataset().split("test")
    expected = (
        "the data have no 'test' split, only train, dev: add a folder test/, or x_test and "
        "y_test to an .npz"
    )
    assert str(caught.value) == expected


def test_the_fingerprint_changes_with_what_is_trained_on():
    data = dataset()
    before = data.fingerprint()
    train = data.splits["train"]
    other = train.inputs.copy()
    other[7, 1] += 1
    changed = [
        replace(data, splits={**data.splits, "train": replace(train, inputs=other)}),
        replace(
            data,
            splits={
                **data.splits,
                "dev": replace(data.splits["dev"], labels=data.splits["dev"].labels[::-1]),
            },
        ),
        replace(data, frontend=Halved(divisor=3.0)),
        replace(data, classes=("a", "b", "x")),
        replace(data, seed=1),
    ]
    assert len({before, *(each.fingerprint() for each in changed)}) == 1 + len(changed)


def test_the_fingerprint_does_not_change_with_test_or_statistics():
    data = dataset()
    same = replace(
        data, splits={**data.splits, "test": examples(3)}, frontend=Halved(mean=(1.0,), std=(2.0,))
    )
    assert same.fingerprint() == data.fingerprint()
    assert json.dumps(data.fingerprint())


def test_a_known_hash_of_the_inputs_is_used():
    part = examples(4)
    assert replace(part, sha256="a").digest() != replace(part, sha256="b").digest()


def test_some_of_the_examples():
    part = replace(examples(4), names=("a", "b", "c", "d"))
    for keep in (np.array([1, 3]), np.array([False, True, False, True])):
        some = part.only(keep)
        assert (some.names, some.labels.tolist(), some.inputs[:, 0].tolist()) == (
            ("b", "d"),
            [1, 0],
            [1, 3],
        )


def test_a_tenth_of_each_class_is_held_out():
    labels = np.repeat([0, 1, 2], [100, 50, 3])
    held = hold_out_examples(labels, 0.1, 0)
    assert np.bincount(labels[held]).tolist() == [10, 5, 1]


def test_a_class_of_one_stays_in_training():
    labels = np.array([0, 0, 1])
    assert set(labels[~hold_out_examples(labels, 0.9, 0)]) == {0, 1}
    with pytest.raises(UsageError, match="one example per class cannot be split"):
        hold_out_examples(np.arange(3), 0.5, 0)


def test_groups_stay_together():
    labels, groups = np.tile([0, 1], 20), np.repeat(np.arange(10), 4)
    held = hold_out_examples(labels, 0.2, 0, groups)
    assert len(set(groups[held])) == 0.2 * 10
    assert not set(groups[held]) & set(groups[~held])


def test_the_seed_decides_what_is_held_out():
    labels, groups = np.tile([0, 1], 20), np.repeat(np.arange(10), 4)
    found = [tuple(hold_out_examples(labels, 0.2, seed, groups)) for seed in (0, 0, 1, 2)]
    assert found[0] == found[1]
    assert len(set(found)) > 1


def test_groups_are_split_where_a_class_would_be_lost(log_lines):
    labels = np.repeat([0, 1], 10)
    held = hold_out_examples(labels, 0.2, 0, labels)  # one speaker per word
    assert np.bincount(labels[held]).tolist() == [2, 2]
    assert log_lines == [
        "dev holds speakers of training: to keep them apart, every class needs more speakers"
    ]


@pytest.mark.parametrize(
    ("classes", "what"), [((), "no class"), (("yes",), "only the class 'yes'")]
)
def test_one_class_is_no_task(classes, what):
    with pytest.raises(
        UsageError, match=f"^here holds {what}: a classification task needs at least two$"
    ):
        check_classes(classes, "here")
    check_classes(("a", "b"), "here")
