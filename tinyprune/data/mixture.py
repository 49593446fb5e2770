"""``mixture``: any folder of speech and any folder of noise, split by speaker or with held-out folders."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyprune.audio.files import list_audio, read_all
from tinyprune.config import DataConfig
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.speech import SILENCE_RMS, SpeechDataset, Split
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)
HELD_OUT = 0.1
ENOUGH_SPEAKERS = 10


def load(config: DataConfig, cache: Path) -> SpeechDataset:
    """Own folders of speech and noise, mixed on the fly.

    Decoded audio goes to ``cache``. Raises UsageError for folders that do not serve.
    """
    if not (config.speech and config.noise):
        raise UsageError("the mixture data need two folders: give --speech DIR and --noise DIR")
    stores = {kind: _store(Path(getattr(config, kind)), cache) for kind in ("speech", "noise")}
    splits = {}
    for split in ("dev", "test"):
        folders = [getattr(config, f"{split}_{kind}") for kind in ("speech", "noise")]
        if all(folders):
            splits[split] = Split(*(_store(Path(folder), cache) for folder in folders))
        elif any(folders):
            raise UsageError(f"--{split}-speech and --{split}-noise go together: give both or none")
    if "dev" not in splits:
        parts = {kind: _hold_out(store, config.seed, kind) for kind, store in stores.items()}
        stores = {kind: train for kind, (train, _) in parts.items()}
        splits["dev"] = Split(parts["speech"][1], parts["noise"][1])
    splits = {"train": Split(stores["speech"], stores["noise"]), **splits}
    return SpeechDataset(splits, config.snr_db, config.dev_utterances, config.seed)


def _store(folder: Path, cache: Path) -> ClipStore:
    files = list_audio(folder)
    stats = [(path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    digest = hashlib.sha256(repr((folder.resolve().as_posix(), stats)).encode()).hexdigest()[:16]
    return open_store(cache / f"{folder.name}-{digest}.pcm", _clips(folder))


def _clips(folder: Path) -> Iterator[Clip]:
    """Clips with sound in them; a clip's group is the folder that holds it, or the whole folder's name at the top."""
    bad: list[str] = []
    count = 0
    for path, samples in read_all(folder, bad):
        if np.sqrt(np.mean(samples**2)) < SILENCE_RMS:
            bad.append(f"{path} is silent")
            continue
        count += 1
        yield Clip(path.relative_to(folder).as_posix(), path.parent.relative_to(folder).as_posix(), samples)
    if not count:
        raise UsageError(f"none of the {len(bad)} audio files in {folder} can be used, e.g. {bad[0]}")
    if bad:
        log.warning("%d of %d files in %s were left out, e.g. %s", len(bad), len(bad) + count, folder, bad[0])


def _hold_out(store: ClipStore, seed: int, kind: str) -> tuple[ClipStore, ClipStore]:
    """A tenth of the groups (speakers), or of the clips where there is only one group, kept apart for dev."""
    speakers = _speakers(store.groups)
    labels = np.asarray(speakers if kind == "speech" and len(set(speakers)) > 1 else store.names)
    names = np.unique(labels)
    if len(names) < 2:
        raise UsageError(
            f"one {kind} file cannot be split into training and dev: add files, or give --dev-speech and --dev-noise"
        )
    held = np.random.default_rng([seed, 3]).permutation(names)[: max(1, round(HELD_OUT * len(names)))]
    dev = np.isin(labels, held)
    return store.subset(~dev), store.subset(dev)


def _speakers(folders: list[str]) -> list[str]:
    """The speaker of each clip: its folder at the highest level that has ten folders or more, else the one it lies in.

    So a speaker whose recordings are sorted further (LibriSpeech: speaker/chapter) stays one speaker.
    """
    for depth in range(1, 1 + max(folder.count("/") for folder in folders)):
        cut = ["/".join(folder.split("/")[:depth]) for folder in folders]
        if len(set(cut)) >= ENOUGH_SPEAKERS:
            return cut
    return folders
