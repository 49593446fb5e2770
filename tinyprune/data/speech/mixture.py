"""``mixture``: any speech and any noise, from folders or a known corpus, split by speaker or with a held-out part."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import read_mono
from tinyprune.config import DataConfig
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.corpora import layouts
from tinyprune.data.corpora.corpus import AudioFile, Part, digest, files_in, held_out
from tinyprune.data.speech.dataset import SpeechDataset
from tinyprune.data.speech.mixing import SILENCE_RMS, Mixing, Split
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track

log = logging.getLogger(__name__)


def load(config: DataConfig, cache: Path) -> SpeechDataset:
    """Own speech and noise, mixed on the fly: two folders, a known corpus, or a CSV manifest.

    Decoded audio goes to ``cache``. Raises UsageError for what does not serve.
    """
    parts = layouts.splits_of(config, "mixture", layouts.MIXTURE, _folders)
    rirs = files_in(Path(config.rirs)) if config.rirs else parts["train"].rirs
    splits = {split: _split(split, part, cache) for split, part in parts.items()}
    if "dev" not in splits:
        splits |= _held_out(splits["train"], config.seed)
    if rirs:
        train = splits["train"]
        splits["train"] = Split(train.speech, train.noise, rirs=open_files("rirs", rirs, cache))
    return SpeechDataset(splits, Mixing.of(config), config.dev_utterances, config.seed)


def _folders(speech: Path, noise: Path) -> Part:
    return Part(speech=files_in(speech), noise=files_in(noise))


def _split(name: str, part: Part, cache: Path) -> Split:
    """Speech and noise of a split, decoded."""
    for kind in layouts.MIXTURE:
        if not getattr(part, kind):
            raise UsageError(
                f"the data have no {kind} in the split '{name}': speech and noise go together"
            )
    return Split(open_files("speech", part.speech, cache), open_files("noise", part.noise, cache))


def _held_out(train: Split, seed: int) -> dict[str, Split]:
    """Training data, and a tenth of the speakers and of the noise files as dev."""
    masks = {}
    for kind, store in (("speech", train.speech), ("noise", train.noise)):
        groups = store.groups if kind == "speech" else [""] * len(store)
        mask = held_out(groups, store.names, seed)
        if mask is None:
            raise UsageError(
                f"one {kind} file cannot be split into training and dev: "
                "add files, or give --dev-speech and --dev-noise"
            )
        masks[kind] = mask
    return {
        split: Split(
            train.speech.subset(masks["speech"] == dev), train.noise.subset(masks["noise"] == dev)
        )
        for split, dev in (("train", False), ("dev", True))
    }


def open_files(kind: str, files: Sequence[AudioFile], cache: Path) -> ClipStore:
    """The clips of a list of files, decoded into ``cache``. Raises UsageError if none can be used.

    ``kind``: "speech", "noise" or "rirs".
    """
    labels = [(file.name, file.group) for file in files]
    return open_store(
        cache / f"{kind}-{digest([file.path for file in files], labels)}.pcm", _clips(kind, files)
    )


def _clips(kind: str, files: Sequence[AudioFile]) -> Iterator[Clip]:
    """Clips with sound in them; a warning counts the others. Raises UsageError if there is no clip."""
    bad: list[str] = []
    for file in track(files, f"reading {kind}", len(files)):
        try:
            yield Clip(file.name, file.group, _read(kind, file.path))
        except TinypruneError as error:
            bad.append(str(error))
    where = files[0].path.as_posix().removesuffix(files[0].name).rstrip("/")
    if len(bad) == len(files):
        raise UsageError(
            f"none of the {len(bad)} audio files in {where} can be used, e.g. {bad[0]}"
        )
    if bad:
        log.warning(
            "%d of %d files in %s were left out, e.g. %s", len(bad), len(files), where, bad[0]
        )


def _read(kind: str, path: Path) -> Float32Array:
    """The samples of a file; impulse responses at full scale: only their form matters, and 16 bits are stored."""
    samples = read_mono(path)
    if kind == "rirs":
        samples = samples / np.float32(float(np.abs(samples).max()) or 1.0)
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise TinypruneError(f"{path} is silent")
    return samples
