"""``synthetic-speech``: a corpus spoken by espeak-ng, and generated noise; no download; same seed, same bytes."""

import hashlib
from pathlib import Path
from types import ModuleType

from tinyprune.config import DataConfig
from tinyprune.data.clips import ClipStore, open_store
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.data.synthetic import noise, voices
from tinyprune.progress import track

HELD_OUT_MINUTES = 4.0
CLIP_SECONDS = {"speech": 5.1, "noise": 8.5}  # on average; for the progress bar only


def load(config: DataConfig, cache: Path) -> MixtureDataset:
    """Speech by espeak-ng and generated noise: ``minutes`` of each to train on, 4 for dev, 4 for test."""
    minutes = {"train": config.minutes, "dev": HELD_OUT_MINUTES, "test": HELD_OUT_MINUTES}
    splits = {
        split: SpeechAndNoise(
            *(
                _store(kind, module, split, length, config.seed, cache)
                for kind, module in _SOURCES.items()
            )
        )
        for split, length in minutes.items()
    }
    return MixtureDataset(splits, Mixing.from_config(config), config.dev_utterances, config.seed)


_SOURCES: dict[str, ModuleType] = {"speech": voices, "noise": noise}


def _store(
    kind: str, module: ModuleType, split: str, minutes: float, seed: int, cache: Path
) -> ClipStore:
    key = hashlib.sha256(repr((kind, split, minutes, seed)).encode()).hexdigest()[:16]
    clips = module.clips(split, minutes, seed)
    return open_store(
        cache / f"synthetic-{kind}-{split}-{key}.pcm",
        track(clips, f"making {split} {kind}", minutes * 60 / CLIP_SECONDS[kind]),
    )
