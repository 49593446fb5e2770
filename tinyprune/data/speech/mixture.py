"""``mixture``: speech and noise from folders or a known corpus, mixed on the fly."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import read_mono
from tinyprune.config import MixtureData
from tinyprune.config.values import each_of
from tinyprune.data.clips import Clip, ClipStore, open_store, report_unusable
from tinyprune.data.corpora import layouts
from tinyprune.data.corpora.corpus import (
    AudioFile,
    CorpusSplit,
    cache_key,
    files_in_each,
    hold_out_speakers,
)
from tinyprune.data.speech import rooms
from tinyprune.data.speech.mixing import SILENCE_RMS, Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track


def load(config: MixtureData, cache: Path) -> MixtureDataset:
    """Own speech and noise, mixed on the fly: two folders, a known corpus, or a CSV manifest.

    Decoded audio goes to ``cache``. Without dev data, a tenth of the speakers and of the noise
    files is held out. Raises UsageError for files that cannot be used.
    """
    if config.rooms:
        rooms.check_available()
    corpus_splits = layouts.configured_splits(config, _split_of_folders)
    rooms_of_config = list(map(Path, each_of(config.rirs)))
    rirs = files_in_each(rooms_of_config) if rooms_of_config else corpus_splits["train"].rirs

    splits = {}
    for name, split in corpus_splits.items():
        _check_complete(name, split)
        splits[name] = SpeechAndNoise(
            open_files("speech", split.speech, cache), open_files("noise", split.noise, cache)
        )
    if "dev" not in splits:
        splits |= _hold_out(splits["train"], config.seed)
    if rirs:
        splits["train"] = replace(splits["train"], rirs=open_files("rirs", rirs, cache))
    elif config.rooms:
        splits["train"] = replace(splits["train"], rirs=_open_rooms(config, cache))
    return MixtureDataset(splits, Mixing.from_config(config), config.dev_utterances, config.seed)


def _open_rooms(config: MixtureData, cache: Path) -> ClipStore:
    """Return simulated rooms, made once. Raises UsageError without the package for it."""
    path = cache / f"rooms-{config.rooms}-{config.seed}.pcm"
    return open_store(path, _simulated(config.rooms, config.seed))


def _simulated(count: int, seed: int) -> Iterator[Clip]:
    for number, response in enumerate(rooms.simulated(count, seed)):
        yield Clip(f"room {number}", "", response)


def _split_of_folders(speech: list[Path], noise: list[Path]) -> CorpusSplit:
    return CorpusSplit(speech=files_in_each(speech), noise=files_in_each(noise))


def _check_complete(name: str, split: CorpusSplit) -> None:
    """Raise UsageError for a split without speech or without noise."""
    for kind in MixtureData.folders:
        if not getattr(split, kind):
            raise UsageError(
                f"the data have no {kind} in the split '{name}': speech and noise go together"
            )


def _hold_out(train: SpeechAndNoise, seed: int) -> dict[str, SpeechAndNoise]:
    """Return training data, and a tenth of the speakers and of the noise files as dev."""
    speech = train.speech
    noise = train.noise
    is_dev_speech = _dev_mask("speech", speech, speech.groups, seed)
    is_dev_noise = _dev_mask("noise", noise, [""] * len(noise), seed)
    return {
        "train": SpeechAndNoise(speech.subset(~is_dev_speech), noise.subset(~is_dev_noise)),
        "dev": SpeechAndNoise(speech.subset(is_dev_speech), noise.subset(is_dev_noise)),
    }


def _dev_mask(kind: str, clips: ClipStore, groups: list[str], seed: int) -> np.ndarray:
    """Return truth values (n,) of the clips that are held out. Raises UsageError for one clip."""
    remedy = "give --dev-speech and --dev-noise"
    is_dev = hold_out_speakers(kind, groups, clips.names, clips.lengths, seed, remedy)
    if is_dev is None:
        raise UsageError(
            f"one {kind} file cannot be split into training and dev: add files, or {remedy}"
        )
    return is_dev


def open_files(kind: str, files: Sequence[AudioFile], cache: Path) -> ClipStore:
    """Return the clips of a list of files, decoded into ``cache``.

    Raises UsageError if none can be used.

    Args:
        kind: "speech", "noise" or "rirs". files: what is decoded. cache: folder of decoded audio.
    """
    labels = [(file.name, file.group) for file in files]
    key = cache_key([file.path for file in files], labels)
    return open_store(cache / f"{kind}-{key}.pcm", _clips(kind, files))


def _clips(kind: str, files: Sequence[AudioFile]) -> Iterator[Clip]:
    """Yield clips with sound in them; a warning counts the others.

    Raises UsageError if there is no clip.
    """
    problems: list[str] = []
    for file in track(files, f"reading {kind}", len(files)):
        try:
            yield Clip(file.name, file.group, _read(kind, file.path))
        except TinypruneError as error:
            problems.append(str(error))

    folder = files[0].path.as_posix().removesuffix(files[0].name).rstrip("/")
    report_unusable(problems, len(files), folder)


def _read(kind: str, path: Path) -> Float32Array:
    """Return the samples of a file; impulse responses at full scale.

    Only the form of an impulse response matters, and 16 bits are stored.
    """
    samples = read_mono(path)
    if kind == "rirs":
        samples = samples / np.float32(float(np.abs(samples).max()) or 1.0)
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise TinypruneError(f"{path} is silent")
    return samples
