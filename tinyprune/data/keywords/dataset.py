"""``keywords``: one-second clips of words in ``WORD/*.wav``, as Google Speech Commands lays them out.

Warden 2018, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition".
"""

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SUFFIXES, list_audio, read_mono
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.config import DataConfig
from tinyprune.data import class_folders
from tinyprune.data.class_folders import File
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.keywords.distortion import Distortion, coloured_noise
from tinyprune.data.labelled import Examples, LabelledDataset, check_classes, hold_out_examples
from tinyprune.errors import TinypruneError, UsageError, unknown_name

log = logging.getLogger(__name__)
SAMPLES = 16_000
UNKNOWN, SILENCE, BACKGROUND = "unknown", "silence", "_background_noise_"
LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
#: The part of each background recording that a split takes its noise from, so that none is in two.
NOISE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}
MEASURED_CLIPS = 4096


def load(config: DataConfig, cache: Path) -> LabelledDataset:
    """Spoken words in folders WORD/*.wav, flac or ogg (Google Speech Commands), as MFCC.

    Decoded clips go to ``cache``. Raises UsageError for folders that do not serve.
    """
    if not config.path:
        raise UsageError("the keywords need a folder with WORD/*.wav: give --path DIR")
    folder = Path(config.path).expanduser()
    splits = _splits(folder, config)
    noise = _background(folder, cache)
    classes = _classes(config.words, splits["train"])
    check_classes(classes, folder)
    class_folders.check_known(splits)
    silent = dict.fromkeys(splits, 0)
    if noise and SILENCE not in classes:
        silent = {name: max(1, round(len(files) / len(classes))) for name, files in splits.items()}
        classes = (*classes, SILENCE)
    made = {
        name: _examples(
            folder, files, classes, _Silence(noise, name, silent[name], config.seed), cache
        )
        for name, files in splits.items()
    }
    for label in set(range(len(classes))) - set(made["train"].labels.tolist()):
        raise UsageError(f"no file of '{classes[label]}' in {folder} can be used for training")
    return LabelledDataset(
        made, classes, _measured(made["train"]), config.seed, _augment(config, noise)
    )


def _splits(folder: Path, config: DataConfig) -> dict[str, list[File]]:
    """The files of each split, of the classes that are wanted."""
    splits = class_folders.splits(folder, SUFFIXES, "WAV, FLAC or OGG")
    if len(splits) == 1:
        splits = _listed(folder, splits["train"])
    if config.words:
        _check_words(config.words, splits["train"])
        splits = {name: _chosen(files, config.words, config.seed) for name, files in splits.items()}
    if "dev" in splits:
        return splits
    train = splits["train"]
    labels, speakers = (
        np.array(values) for values in ([f.label for f in train], [_speaker(f.path) for f in train])
    )
    held = hold_out_examples(labels, config.hold_out, config.seed, speakers)
    parts = {
        "train": [file for file, dev in zip(train, held, strict=True) if not dev],
        "dev": [file for file, dev in zip(train, held, strict=True) if dev],
    }
    return {**parts, **{name: files for name, files in splits.items() if name != "train"}}


def _listed(folder: Path, files: list[File]) -> dict[str, list[File]]:
    """The splits that the lists of Google Speech Commands make; what stands in neither is for training."""
    splits: dict[str, list[File]] = {"train": files}
    for split, name in LISTS.items():
        if (folder / name).is_file():
            wanted = set((folder / name).read_text(errors="replace").split())
            splits[split] = [file for file in splits["train"] if file.name in wanted]
            splits["train"] = [file for file in splits["train"] if file.name not in wanted]
            if not splits[split] or not splits["train"]:
                which = "every file" if splits[split] else "no file"
                raise UsageError(
                    f"{folder / name} names {which} of {folder}: expected lines like yes/0a7c2a8d_nohash_0.wav"
                )
    return splits


def _speaker(path: Path) -> str:
    """Who speaks: 0a7c2a8d of 0a7c2a8d_nohash_0.wav, 00000021 of eight_00000021_NO_02.wav."""
    *parts, last = path.stem.split("_")
    return next((part for part in parts if any(c.isdigit() for c in part)), (parts or [last])[0])


def _check_words(words: tuple[str, ...], files: list[File]) -> None:
    found = sorted({file.label for file in files})
    for word in words:
        if word not in found:
            raise unknown_name("word", word, found)


def _chosen(files: list[File], words: tuple[str, ...], seed: int) -> list[File]:
    """The wanted words, and of all others together about as many as of one of them, as "unknown".

    All of a folder "unknown" is kept: somebody has chosen it.
    """
    kept = [file for file in files if file.label in (*words, UNKNOWN)]
    others = [file for file in files if file.label not in (*words, UNKNOWN)]
    count = min(len(others), round(sum(file.label in words for file in files) / len(words)))
    picked = sorted(np.random.default_rng([seed, 4]).permutation(len(others))[:count].tolist())
    return kept + [File(others[i].path, others[i].name, UNKNOWN) for i in picked]


def _classes(words: tuple[str, ...], train: list[File]) -> tuple[str, ...]:
    """The wanted words in the order that they were given, or all in that of the alphabet; then the others."""
    found = {file.label for file in train}
    last = [name for name in (UNKNOWN, SILENCE) if name in found and name not in words]
    return (*(words or sorted(found - {*last})), *last)


def _background(folder: Path, cache: Path) -> ClipStore | None:
    """The recordings of noise, where there are any."""
    noise = next(
        (path for path in (folder / BACKGROUND, folder / "train" / BACKGROUND) if path.is_dir()),
        None,
    )
    if noise is None:
        return None
    files = [File(path, path.name, BACKGROUND) for path in list_audio(noise)]
    path = cache / f"{BACKGROUND}-{class_folders.cache_key(noise, files)}.pcm"
    return open_store(path, _decoded(noise, files, whole=True))


@dataclass(frozen=True, eq=False)
class _Silence:
    """The clips of a split in which nobody speaks: seconds of its part of the noise, at any level below the recorded.

    Attributes: noise: recordings. split: name. count: of clips. seed: of which they are.
    """

    noise: ClipStore | None
    split: str
    count: int
    seed: int

    @property
    def key(self) -> str:
        """Changes with the clips."""
        return (
            f"{self.split}:{self.count}:{self.seed}:{self.noise.index.sha256}"
            if self.noise and self.count
            else ""
        )

    def clips(self) -> Iterator[Clip]:
        if self.noise is None:
            return
        rng = np.random.default_rng([self.seed, 5, list(NOISE_PARTS).index(self.split)])
        for number in range(self.count):
            recording = int(rng.integers(len(self.noise)))
            low, high = (
                int(part * self.noise.lengths[recording]) for part in NOISE_PARTS[self.split]
            )
            start = int(rng.integers(low, max(low + 1, high - SAMPLES + 1)))
            excerpt = self.noise.excerpt(recording, start, SAMPLES)
            yield Clip(f"{SILENCE}/{number}", SILENCE, excerpt * np.float32(rng.random()))


def _examples(
    folder: Path, files: list[File], classes: tuple[str, ...], silence: _Silence, cache: Path
) -> Examples:
    """The clips of a split, memory-mapped; the class of each stands in the store as its group."""
    key = class_folders.cache_key(folder, files, silence.key)
    path = cache / f"{folder.name}-{silence.split}-{key}.pcm"
    index = open_store(path, itertools.chain(_decoded(folder, files), silence.clips())).index
    labels = np.array([classes.index(group) for group in index.groups], np.int64)
    return Examples(
        np.memmap(path, np.int16, "r").reshape(-1, SAMPLES), labels, index.names, index.sha256
    )


def _decoded(folder: Path, files: Iterable[File], whole: bool = False) -> Iterator[Clip]:
    """Every readable file, as one second unless ``whole``; what is left out is counted in one warning."""
    bad: list[str] = []
    count = 0
    for file in files:
        try:
            samples = read_mono(file.path)
        except TinypruneError as error:
            bad.append(str(error))
            continue
        count += 1
        yield Clip(file.name, file.label, samples if whole else one_second(samples))
    if not count:
        raise UsageError(
            f"none of the {len(bad)} audio files in {folder} can be used, e.g. {bad[0]}"
        )
    if bad:
        log.warning(
            "%d of %d files in %s were left out, e.g. %s",
            len(bad),
            len(bad) + count,
            folder,
            bad[0],
        )


def one_second(samples: Float32Array) -> Float32Array:
    """Samples (16000,): zeros on both sides of a shorter clip (n,), or the second of a longer one that is loudest."""
    missing = SAMPLES - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax(energy[SAMPLES:] - energy[:-SAMPLES]))
    return samples[start : start + SAMPLES]


def _measured(train: Examples) -> MfccFrontEnd:
    """The front end with the statistics of the training clips, of some of them where there are many."""
    frontend = MfccFrontEnd()
    rows = np.unique(np.linspace(0, len(train) - 1, MEASURED_CLIPS).astype(int))
    parts = np.array_split(
        rows, -(-len(rows) // 256)
    )  # what is in between the clips and their MFCC is large
    return frontend.measured(
        np.concatenate([frontend.cepstra(train.inputs[part]) for part in parts])
    )


def _augment(config: DataConfig, noise: ClipStore | None) -> Distortion | None:
    if not config.augment:
        return None
    if noise is None:
        return Distortion(coloured_noise(SAMPLES, np.random.default_rng([config.seed, 6])))
    share = NOISE_PARTS["train"][1]
    parts = [
        noise.excerpt(i, 0, max(1, int(share * length))) for i, length in enumerate(noise.lengths)
    ]
    recorded = np.concatenate(parts)
    return Distortion(np.resize(recorded, max(len(recorded), SAMPLES)))
