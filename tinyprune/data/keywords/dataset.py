"""``keywords``: one-second clips of words in ``WORD/*.wav``, as Google Speech Commands has them.

Warden 2018, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition".
"""

from pathlib import Path

import numpy as np

from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.config import KeywordData
from tinyprune.data import class_folders
from tinyprune.data.class_folders import LabelledFiles
from tinyprune.data.clips import ClipStore
from tinyprune.data.examples import Examples
from tinyprune.data.keywords.distortion import Distortion, coloured_noise
from tinyprune.data.keywords.recordings import (
    NOISE_PARTS,
    SAMPLES,
    SilenceClips,
    open_background,
    open_examples,
)
from tinyprune.data.keywords.word_files import SILENCE, classes_of, list_words
from tinyprune.data.labelled import LabelledDataset, check_classes
from tinyprune.errors import UsageError

MEASURED_CLIPS = 4096
_CHUNK = 256  # clips that are measured at once: intermediate results of a clip are large


def load(config: KeywordData, cache: Path) -> LabelledDataset:
    """Spoken words in folders WORD/*.wav, flac or ogg (Google Speech Commands), as MFCC.

    Decoded clips go to ``cache``. Raises UsageError for folders that cannot be used.
    """
    if not config.path:
        raise UsageError("the keywords need a folder with WORD/*.wav: give --path DIR")
    folder = Path(config.path).expanduser()
    files = list_words(folder, config)
    noise = open_background(folder, cache)
    classes = classes_of(config.words, files["train"])
    check_classes(classes, folder)
    class_folders.check_known(files)

    silence_counts = dict.fromkeys(files, 0)
    if noise and SILENCE not in classes:
        silence_counts = _silence_counts(files, len(classes))
        classes = (*classes, SILENCE)

    splits = {}
    for name, split_files in files.items():
        silence = SilenceClips(noise, name, silence_counts[name], config.seed)
        splits[name] = open_examples(folder, split_files, classes, silence, cache)
    _check_trained(classes, splits["train"], folder)

    frontend = _measured_front_end(splits["train"])
    augment = _distortion(noise, config.seed) if config.augment else None
    return LabelledDataset(splits, classes, frontend, config.seed, augment)


def _silence_counts(files: LabelledFiles, classes: int) -> dict[str, int]:
    """Return the number of silent clips of each split: as many as of a word."""
    counts = {}
    for name, split_files in files.items():
        counts[name] = max(1, round(len(split_files) / classes))
    return counts


def _check_trained(classes: tuple[str, ...], train: Examples, folder: Path) -> None:
    """Raise UsageError for a class without a readable file for training."""
    missing = set(range(len(classes))).difference(train.labels.tolist())
    if missing:
        name = classes[min(missing)]
        raise UsageError(f"no file of '{name}' in {folder} can be used for training")


def _measured_front_end(train: Examples) -> MfccFrontEnd:
    """Return the front end with the statistics of training clips, of some where there are many."""
    frontend = MfccFrontEnd()
    rows = np.unique(np.linspace(0, len(train) - 1, MEASURED_CLIPS).astype(int))
    chunks = np.array_split(rows, -(-len(rows) // _CHUNK))
    cepstra = np.concatenate([frontend.cepstra(train.inputs[chunk]) for chunk in chunks])
    return frontend.measured(cepstra)


def _distortion(noise: ClipStore | None, seed: int) -> Distortion:
    """Return the variation of training clips, with recorded noise where there is some."""
    if noise is None:
        return Distortion(coloured_noise(SAMPLES, np.random.default_rng([seed, 6])))
    _, share = NOISE_PARTS["train"]
    parts = []
    for number, length in enumerate(noise.lengths):
        parts.append(noise.excerpt(number, 0, max(1, int(share * length))))
    recorded = np.concatenate(parts)
    return Distortion(np.resize(recorded, max(len(recorded), SAMPLES)))
