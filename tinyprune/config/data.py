"""Where the data of a run come from."""

from collections.abc import Iterator
from dataclasses import dataclass

#: The folders of speech: names of fields of :class:`DataConfig`, each pair for one split.
MIXED = ("speech", "noise", "dev_speech", "dev_noise", "test_speech", "test_noise")
PAIRED = ("noisy", "clean", "dev_noisy", "dev_clean", "test_noisy", "test_clean")
FOLDERS = (*MIXED, "rirs", *PAIRED)
NORMALISE = ("standard", "unit", "none")

#: The fields that only some data sets read, and which: the others refuse them.
USES: dict[str, tuple[str, ...]] = {
    "synthetic-speech": ("snr_db", "level_db", "speed", "babble"),
    "mixture": (*MIXED, "rirs", "path", "snr_db", "level_db", "speed", "babble"),
    "paired": (*PAIRED, "path", "level_db", "speed"),
    "keywords": ("path", "words", "augment", "hold_out"),
    "images": ("path", "normalise", "image_size", "augment", "hold_out"),
}


@dataclass(frozen=True)
class DataConfig:
    """Where the data come from: speech and noise and how they are mixed, noisy and clean pairs, or labelled examples.

    Attributes:
        name: dataset (registry.DATASETS).
        speech, noise: folders of clean speech and of noise, for "mixture".
        dev_speech, dev_noise: held-out folders; without them a tenth of the speakers and noise
            files is held out.
        test_speech, test_noise: folders for ``evaluate --split test``.
        rirs: folder of room impulse responses that half of the training speech is heard through.
        noisy, clean: folders of noisy and of clean speech with the same file names, for "paired".
        dev_noisy, dev_clean: held-out folders; without them a tenth of the speakers is held out.
        test_noisy, test_clean: folders for ``evaluate --split test``.
        snr_db: range in dB from which the SNR of each training mixture is drawn.
        level_db: range of the level of the speech in training, in dB relative to full scale.
        speed: range of the factor by which training speech and noise are played faster.
        babble: fraction of the training mixtures whose noise is other speakers of the same split.
        minutes: length of the synthetic training speech.
        dev_utterances: number of mixtures in the dev and test sets.
        path: of "mixture" and "paired", a corpus in a known layout or a CSV manifest
            (data/corpora/layouts.py); folder of ``WORD/*.wav`` for "keywords"; for "images" an
            ``.npz``, CIFAR-10's pickles or ``CLASS/*.png``.
        words: wanted keywords; of all others together about as many clips as of one are "unknown".
            Empty: all.
        normalise: of images, "standard" (mean 0, deviation 1 per channel), "unit" (uint8 / 255) or
            "none".
        image_size: height and width in pixels that image files are brought to; default: those of
            the first.
        augment: vary the training examples (shifts, levels and noise; flips and crops).
        hold_out: fraction of the training examples that becomes dev where ``path`` has none.
        seed: of the synthetic corpus, of every mixture, of what is held out.
    """

    name: str = "synthetic-speech"
    speech: str | None = None
    noise: str | None = None
    dev_speech: str | None = None
    dev_noise: str | None = None
    test_speech: str | None = None
    test_noise: str | None = None
    rirs: str | None = None
    noisy: str | None = None
    clean: str | None = None
    dev_noisy: str | None = None
    dev_clean: str | None = None
    test_noisy: str | None = None
    test_clean: str | None = None
    snr_db: tuple[float, float] = (-6.0, 9.0)
    level_db: tuple[float, float] = (-35.0, -15.0)
    speed: tuple[float, float] = (1.0, 1.0)
    babble: float = 0.0
    minutes: float = 20.0
    dev_utterances: int = 48
    path: str | None = None
    words: tuple[str, ...] = ()
    normalise: str = "standard"
    image_size: int | None = None
    augment: bool = True
    hold_out: float = 0.1
    seed: int = 0


#: What a data set cannot do without: of several, one group of fields is enough.
_NEEDED: dict[str, tuple[dict[str, str], ...]] = {
    "mixture": ({"speech": " DIR", "noise": " DIR"}, {"path": " PATH"}),
    "paired": ({"noisy": " DIR", "clean": " DIR"}, {"path": " PATH"}),
    "keywords": ({"path": ""},),
    "images": ({"path": ""},),
}


def complaints(data: DataConfig) -> Iterator[tuple[str, str]]:
    """What is needed and missing, or given and unused, as (field, complaint): nobody trains on data by mistake."""
    default = DataConfig()
    for name in dict.fromkeys(name for names in USES.values() for name in names):
        if getattr(data, name) != getattr(default, name) and name not in USES.get(
            data.name, (name,)
        ):
            others = " or ".join(f'"{other}"' for other, names in USES.items() if name in names)
            yield name, f'is not used by data.name = "{data.name}"; choose {others}'
    ways = _NEEDED.get(data.name, ())
    if not any(all(getattr(data, name) for name in way) for way in ways):
        instead = "".join(f", or --{name}{what}" for way in ways[1:] for name, what in way.items())
        for name, what in (ways[0] if ways else {}).items():
            if not getattr(data, name):
                yield name, f'data.name = "{data.name}" needs it: give --{name}{what}{instead}'
    yield from _contradictions(data)


def _contradictions(data: DataConfig) -> Iterator[tuple[str, str]]:
    """Two ways of naming the same data at once."""
    if data.path and data.name in ("mixture", "paired"):
        for name in MIXED + PAIRED:
            if getattr(data, name):
                yield name, "the corpus in data.path has its own: give one of the two"
