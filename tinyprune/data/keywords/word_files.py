"""The files of spoken words: their splits, speakers and classes. Nothing is decoded."""

import re
from pathlib import Path

import numpy as np

from tinyprune.audio.files import SUFFIXES
from tinyprune.config import KeywordData
from tinyprune.data import class_folders
from tinyprune.data.class_folders import LabelledFile, LabelledFiles
from tinyprune.data.labelled import hold_out_examples
from tinyprune.errors import UsageError, unknown_name

UNKNOWN = "unknown"
SILENCE = "silence"
#: The lists of Google Speech Commands.
LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}


def list_words(folder: Path, config: KeywordData) -> LabelledFiles:
    """Return the files of each split, of the configured words and of "unknown".

    Without dev folders or lists, a part of the speakers is held out. Raises UsageError for a folder
    without words, or without a configured one.
    """
    splits = class_folders.list_splits(folder, SUFFIXES, "WAV, FLAC or OGG")
    if len(splits) == 1:
        splits = _split_by_lists(folder, splits["train"])
    if config.words:
        _check_words(config.words, splits["train"])
        splits = {
            name: _with_unknown(files, config.words, config.seed) for name, files in splits.items()
        }
    if "dev" not in splits:
        splits = _hold_out(splits, config)
    return splits


def classes_of(words: tuple[str, ...], train: list[LabelledFile]) -> tuple[str, ...]:
    """Return the classes: the configured words in their order, or all in that of the alphabet.

    "unknown" and "silence" come last.
    """
    labels = {file.label for file in train}
    last = [name for name in (UNKNOWN, SILENCE) if name in labels and name not in words]
    first = words or tuple(sorted(labels.difference(last)))
    return (*first, *last)


def _split_by_lists(folder: Path, files: list[LabelledFile]) -> LabelledFiles:
    """Return the splits of the lists of Google Speech Commands.

    The files that are in no list are for training.
    """
    splits: LabelledFiles = {"train": files}
    for split, list_name in LISTS.items():
        path = folder / list_name
        if not path.is_file():
            continue
        listed = set(path.read_text(errors="replace").split())
        splits[split], splits["train"] = _apart(splits["train"], "name", listed)
        if not splits[split] or not splits["train"]:
            extent = "every file" if splits[split] else "no file"
            raise UsageError(
                f"{path} names {extent} of {folder}: expected lines like yes/0a7c2a8d_nohash_0.wav"
            )
    return splits


def _apart(
    files: list[LabelledFile], field: str, values: set[str]
) -> tuple[list[LabelledFile], list[LabelledFile]]:
    """Return the files whose field has one of these values, and the others."""
    chosen = []
    others = []
    for file in files:
        if getattr(file, field) in values:
            chosen.append(file)
        else:
            others.append(file)
    return chosen, others


def _check_words(words: tuple[str, ...], files: list[LabelledFile]) -> None:
    """Raise UsageError for a configured word that is not there."""
    labels = sorted({file.label for file in files})
    for word in words:
        if word not in labels:
            raise unknown_name("word", word, labels)


def _with_unknown(
    files: list[LabelledFile], words: tuple[str, ...], seed: int
) -> list[LabelledFile]:
    """Return the configured words, and about as many files as of one of them as "unknown".

    Those are drawn from all other words. A folder "unknown" is kept as it is: somebody chose its
    files.
    """
    kept, others = _apart(files, "label", {*words, UNKNOWN})
    per_word = sum(file.label in words for file in files) / len(words)
    count = min(len(others), round(per_word))
    order = np.random.default_rng([seed, 4]).permutation(len(others))
    for number in sorted(order[:count].tolist()):
        file = others[number]
        kept.append(LabelledFile(file.path, file.name, UNKNOWN))
    return kept


def _hold_out(splits: LabelledFiles, config: KeywordData) -> LabelledFiles:
    """Return the splits with a part of the speakers of training as dev."""
    others = dict(splits)
    files = others.pop("train")
    labels = np.array([file.label for file in files])
    speakers = np.array([speaker_of(file.path) for file in files])
    is_dev = hold_out_examples(labels, config.hold_out, config.seed, speakers)
    return {
        "train": [files[number] for number in np.flatnonzero(~is_dev)],
        "dev": [files[number] for number in np.flatnonzero(is_dev)],
        **others,
    }


def speaker_of(path: Path) -> str:
    """Return the speaker in a name: the first part with a digit, else the first.

    It is 0a7c2a8d of 0a7c2a8d_nohash_0.wav, and 00000021 of eight_00000021_NO_02.wav. The last part
    is the number of the recording.
    """
    parts = path.stem.split("_")
    if len(parts) > 1:
        parts.pop()
    for part in parts:
        if re.search(r"\d", part):
            return part
    return parts[0]
