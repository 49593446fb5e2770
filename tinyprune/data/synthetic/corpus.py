"""``synthetic-speech``: speech by espeak-ng and generated noise; nothing is downloaded.

The same seed gives the same bytes.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tinyprune.config import SyntheticSpeechData
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.data.synthetic import noise, voices
from tinyprune.progress import track

HELD_OUT_MINUTES = 4.0
CLIP_SECONDS = {"speech": 5.1, "noise": 8.5}  # on average; for the progress bar only


def load(config: SyntheticSpeechData, cache: Path) -> MixtureDataset:
    """Speech by espeak-ng and generated noise: ``minutes`` of each to train on, 4 for dev, 4 for
    test.

    The samples go to ``cache``. Raises TinypruneError if espeak-ng is missing.
    """
    minutes = {"train": config.minutes, "dev": HELD_OUT_MINUTES, "test": HELD_OUT_MINUTES}
    splits = {}
    for split, length in minutes.items():
        speech_clips = voices.clips(split, length, config.seed)
        noise_clips = noise.clips(split, length, config.seed)
        splits[split] = SpeechAndNoise(
            _store("speech", speech_clips, split, length, config.seed, cache),
            _store("noise", noise_clips, split, length, config.seed, cache),
        )
    return MixtureDataset(splits, Mixing.from_config(config), config.dev_utterances, config.seed)


def _store(
    kind: str, clips: Iterator[Clip], split: str, minutes: float, seed: int, cache: Path
) -> ClipStore:
    """Return the store of one kind of clips, which are made unless it is there."""
    key = hashlib.sha256(repr((kind, split, minutes, seed)).encode()).hexdigest()[:16]
    expected_clips = minutes * 60 / CLIP_SECONDS[kind]
    tracked = track(clips, f"making {split} {kind}", expected_clips)
    return open_store(cache / f"synthetic-{kind}-{split}-{key}.pcm", tracked)
