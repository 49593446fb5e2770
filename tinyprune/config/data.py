"""The data of a run: one configuration per data set, with the settings that it reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from tinyprune.config.family import Family, Member, fields_of
from tinyprune.config.settings import (
    COUNT,
    POSITIVE,
    SEED,
    Complaint,
    NamedRule,
    NameRule,
    Option,
    Rule,
    one_of,
    setting,
    shown,
)
from tinyprune.registry import DATASETS

PREDICT = ("auto", "classes", "labels", "numbers", "input")
STANDARD = "standard"
RAW = "none"
NORMALISE = (STANDARD, "unit", "signed", RAW)
_FRACTION = Rule(lambda value: 0 <= value <= 1, "a fraction in [0, 1], e.g. 0.2")
_HELD_OUT = "Default: a tenth of the speakers and files is held out."
_TEST = "`evaluate --split test` scores on it."


#: A folder, several of them, or none: of one the record is its text, as it was before.
Folders = str | tuple[str, ...] | None


def _folders(flag: str, help: str) -> Any:
    """Return the field of one folder or several."""
    return setting(None, f"{help} May be repeated.", option=Option(flag, "folders"), is_place=True)


def _flag(name: str) -> str:
    """Return the option of a folder."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class DataConfig(Member):
    """The settings that all data sets have in common.

    ``minutes`` and ``dev_utterances`` say nothing about some data sets, which accept them: a recipe
    may change its data set by one key.
    """

    name: ClassVar[str]
    naming: ClassVar[tuple[str, ...]] = ()  # settings of which one is enough to mean this data set

    minutes: float = setting(
        20.0,
        "Length of the synthetic training speech, in minutes.",
        option=Option("--minutes", "positive"),
        rule=POSITIVE,
    )
    dev_utterances: int = setting(
        48, "Number of mixtures in the dev and in the test set.", rule=COUNT
    )
    seed: int = setting(
        0, "Seed of the synthetic corpus, of every mixture and of what is held out.", rule=SEED
    )

    @property
    def is_settled(self) -> bool:
        """True where nothing is left open that depends on the network."""
        return True

    def for_kept_weights(self) -> "DataConfig":
        """Return the same data for a network of a file that keeps its weights."""
        return self

    def normalisations(self) -> dict[str, "DataConfig"]:
        """Return the same data under every normalisation that is known for them, by its name."""
        return {}

    def test_folders(self) -> dict[str, Any]:
        """Return the folders of the test split that are given, by setting: one or several each."""
        folders = {}
        for name, value in vars(self).items():
            if name.startswith("test_") and value:
                folders[name] = value
        return folders

    def without_test_folders(self) -> "DataConfig":
        """Return the same data without folders of the test split: no training depends on them."""
        nothing: dict[str, Any] = dict.fromkeys(self.test_folders())
        return replace(self, **nothing)


#: Setting -> its default for speech and noise of one's own; synthetic ones vary less.
_OWN_DEFAULTS: Mapping[str, Any] = {
    "speed": (0.95, 1.5),
    "babble": 0.05,
    "talkers": 0.05,
    "tilt_db": (-2.0, 4.0),
    "colour_db": 4.0,
    "narrow": 0.05,
    "clipped": 0.03,
    "clean_share": 0.05,
    "follow_level": True,
}


def _varied(name: str, usual: Any, meaning: str, **more: Any) -> Any:
    """Return a setting with another default for own speech and noise, which its help names."""
    own = shown(_OWN_DEFAULTS[name])
    text = f"{meaning}  [default: {own} of own speech and noise, else {shown(usual)}]"
    return setting(usual, text, **more)


@dataclass(frozen=True)
class LevelledData(DataConfig):
    """Speech whose level and speed vary in training."""

    level_db: tuple[float, float] = setting(
        (-35.0, -15.0),
        "Range of the level of the training speech, in dB relative to full scale.",
        option=Option("--level", "decibels"),
        rule=Rule(
            lambda value: value[0] <= value[1] <= 0,
            "low:high with low <= high <= 0, e.g. -35:-15",
        ),
    )
    speed: tuple[float, float] = _varied(
        "speed",
        (1.0, 1.0),
        "Range of the factor by which half of the training speech and noise is played faster.",
        option=Option("--speed", "factors"),
        rule=Rule(
            lambda value: 0.5 <= value[0] <= value[1] <= 2,
            "low:high with 0.5 <= low <= high <= 2, e.g. 0.9:1.1",
        ),
    )


@dataclass(frozen=True)
class MixedData(LevelledData):
    """Speech and noise that are mixed on the fly."""

    snr_db: tuple[float, float] = setting(
        (-6.0, 9.0),
        "Range of the SNR of a training mixture, in dB.",
        option=Option("--snr", "decibels"),
        rule=Rule(lambda value: value[0] <= value[1], "low:high with low <= high, e.g. -6:9"),
    )
    babble: float = _varied(
        "babble",
        0.0,
        "Fraction of the training mixtures whose noise is other speakers.",
        option=Option("--babble", "share"),
        rule=_FRACTION,
    )
    talkers: float = _varied(
        "talkers",
        0.0,
        "Fraction of the training mixtures whose noise is one other speaker in the background.",
        option=Option("--talkers", "share"),
        rule=_FRACTION,
    )
    tilt_db: tuple[float, float] = _varied(
        "tilt_db",
        (0.0, 0.0),
        "Range of the tilt of the spectrum of training speech, in dB per octave: vocal effort.",
        option=Option("--tilt", "decibels"),
        rule=Rule(
            lambda value: -12 <= value[0] <= value[1] <= 12,
            "low:high with -12 <= low <= high <= 12, e.g. -2:4",
        ),
    )
    colour_db: float = _varied(
        "colour_db",
        0.0,
        "The most by which the microphone of a training mixture raises or lowers an octave, in dB.",
        option=Option("--colour", "colour"),
        rule=Rule(lambda value: 0 <= value <= 24, "decibels from 0 to 24, e.g. 6"),
    )
    narrow: float = _varied(
        "narrow",
        0.0,
        "Fraction of the training mixtures that are limited to a narrower band.",
        option=Option("--narrow", "share"),
        rule=_FRACTION,
    )
    clipped: float = _varied(
        "clipped",
        0.0,
        "Fraction of the training mixtures that are clipped.",
        option=Option("--clipped", "share"),
        rule=_FRACTION,
    )
    clean_share: float = _varied(
        "clean_share",
        0.0,
        "Fraction of the training mixtures without noise.",
        option=Option("--clean-share", "share"),
        rule=_FRACTION,
    )
    max_attenuation_db: float | None = setting(
        None,
        "The most that noise is attenuated in what is learned, e.g. 15dB.  [default: no limit]",
        option=Option("--max-attenuation", "attenuation"),
        rule=Rule(lambda value: 0 < value < 120, "decibels above 0 and below 120, e.g. 15"),
    )
    follow_level: bool = _varied(
        "follow_level",
        False,
        "Whether features of training follow the level, as those of a stream do: what is "
        "quieter than usual is amplified.",
    )


@dataclass(frozen=True)
class CorpusData(DataConfig):
    """Recordings from a corpus at one path, or from two folders per split."""

    folders: ClassVar[tuple[str, str]]  # the settings of the two folders to train on
    folders_of_splits: ClassVar[tuple[str, ...]]  # those, and those of the dev and test split

    path: str | None = setting(
        None,
        "Corpus of speech in a known layout, or its CSV manifest.",
        option=Option("--path", "path"),
        is_place=True,
    )

    def complaints(self) -> list[Complaint]:
        """Return which folder is missing, or stands beside a corpus that has its own."""
        given = [name for name in self.folders_of_splits if getattr(self, name)]
        if self.path:
            own = "the corpus in data.path has its own: give one of the two"
            return [(name, own) for name in given]

        complaints = []
        for name in self.folders:
            option = f"{_flag(name)} DIR"
            if name not in given:
                need = f"needs it: give {option}, or --path PATH"
                complaints.append((name, f'data.name = "{self.name}" {need}'))
        return complaints


@dataclass(frozen=True)
class LabelledData(DataConfig):
    """Examples with labels, all at one path."""

    path: str | None = setting(
        None,
        "Folder WORD/*.wav of keywords; images as .npz, CIFAR-10's pickles or CLASS/*.png; arrays.",
        option=Option("--path", "path"),
        is_place=True,
    )
    augment: bool = setting(
        True, "Whether training examples vary: shifts, levels and noise; flips and crops."
    )
    hold_out: float = setting(
        0.1,
        "Fraction of the training examples that becomes dev where the path has no dev split.",
        rule=Rule(lambda value: 0 < value < 1, "a fraction between 0 and 1, e.g. 0.1"),
    )

    def complaints(self) -> list[Complaint]:
        """Return that the path is missing."""
        if self.path:
            return []
        return [("path", f'data.name = "{self.name}" needs it: give --path')]


@dataclass(frozen=True)
class SyntheticSpeechData(MixedData):
    """Speech by espeak-ng and generated noise."""

    name: ClassVar[str] = "synthetic-speech"


def _of_own(name: str) -> Any:
    """Return a setting of mixed data with the default of own speech and noise."""
    return field(default=_OWN_DEFAULTS[name], metadata=fields_of(MixedData)[name].metadata)


@dataclass(frozen=True)
class MixtureData(MixedData, CorpusData):
    """Own speech and noise, mixed on the fly.

    What people record is not what corpora have: other levels, voices, efforts, microphones, and
    no noise at times. A network that has not heard it takes loud and high voices for noise. So by
    default training varies all of it (docs/pretrained.md has what that does). The SNR does not
    reach far up: where much is nearly clean, a network first learns to do nothing.
    """

    name: ClassVar[str] = "mixture"
    folders: ClassVar[tuple[str, str]] = ("speech", "noise")
    naming: ClassVar[tuple[str, ...]] = folders
    folders_of_splits: ClassVar[tuple[str, ...]] = (
        "speech",
        "noise",
        "dev_speech",
        "dev_noise",
        "test_speech",
        "test_noise",
    )

    speed: tuple[float, float] = _of_own("speed")
    babble: float = _of_own("babble")
    talkers: float = _of_own("talkers")
    tilt_db: tuple[float, float] = _of_own("tilt_db")
    colour_db: float = _of_own("colour_db")
    narrow: float = _of_own("narrow")
    clipped: float = _of_own("clipped")
    clean_share: float = _of_own("clean_share")
    follow_level: bool = _of_own("follow_level")
    speech: Folders = _folders("--speech", "Folder of clean speech to train on.")
    noise: Folders = _folders("--noise", "Folder of noise that is mixed with the speech.")
    dev_speech: Folders = _folders(
        "--dev-speech", f"Folder of clean speech of the dev split. {_HELD_OUT}"
    )
    dev_noise: Folders = _folders("--dev-noise", "Folder of noise of the dev split.")
    test_speech: Folders = _folders(
        "--test-speech", f"Folder of clean speech of the test split. {_TEST}"
    )
    test_noise: Folders = _folders("--test-noise", "Folder of noise of the test split.")
    rirs: Folders = _folders(
        "--rirs", "Folder of room impulse responses, applied to half of the training speech."
    )
    rooms: int = setting(
        0,
        "Number of simulated rooms, instead of recorded ones.",
        option=Option("--rooms", "rooms"),
        rule=Rule(lambda value: 0 <= value <= 10_000, "a number of rooms, at most 10000"),
    )

    def complaints(self) -> list[Complaint]:
        """Return which folder is missing, and rooms that are both recorded and simulated."""
        complaints = super().complaints()
        if self.rirs and self.rooms:
            complaints.append(
                ("rooms", "they are simulated, --rirs are recorded: give one of the two")
            )
        return complaints


@dataclass(frozen=True)
class PairedData(LevelledData, CorpusData):
    """Noisy recordings and the clean speech in them, file by file."""

    name: ClassVar[str] = "paired"
    folders: ClassVar[tuple[str, str]] = ("noisy", "clean")
    naming: ClassVar[tuple[str, ...]] = folders
    folders_of_splits: ClassVar[tuple[str, ...]] = (
        "noisy",
        "clean",
        "dev_noisy",
        "dev_clean",
        "test_noisy",
        "test_clean",
    )

    noisy: Folders = _folders("--noisy", "Folder of noisy recordings to train on.")
    clean: Folders = _folders(
        "--clean", "Folder of the clean speech in them, in files of the same names."
    )
    dev_noisy: Folders = _folders(
        "--dev-noisy", f"Folder of noisy recordings of the dev split. {_HELD_OUT}"
    )
    dev_clean: Folders = _folders("--dev-clean", "Folder of the clean speech in them.")
    test_noisy: Folders = _folders(
        "--test-noisy", f"Folder of noisy recordings of the test split. {_TEST}"
    )
    test_clean: Folders = _folders("--test-clean", "Folder of the clean speech in them.")


@dataclass(frozen=True)
class KeywordData(LabelledData):
    """Spoken words, one folder per word."""

    name: ClassVar[str] = "keywords"

    words: tuple[str, ...] = setting(
        (),
        "Keywords to tell apart; all other words are `unknown`.  [default: all]",
        option=Option("--words", "list"),
        rule=Rule(lambda value: all(value) and len(set(value)) == len(value), "words, each once"),
    )


@dataclass(frozen=True)
class ImageData(LabelledData):
    """Pictures with labels."""

    name: ClassVar[str] = "images"

    normalise: str | None = setting(
        None,
        "Normalisation of pixels: standard (mean 0, deviation 1 per channel), unit (uint8 / 255), "
        "signed (uint8 / 127.5 - 1) or none.  [default: none where the network scales its input "
        "itself, else standard]",
        rule=one_of(NORMALISE),
        absent=STANDARD,
    )
    image_size: int | None = setting(
        None,
        "Height and width in pixels that image files are brought to.  [default: as the first]",
        option=Option("--image-size", "count", "PIXELS"),
        rule=COUNT,
    )

    @property
    def is_settled(self) -> bool:
        """True where the normalisation is given."""
        return self.normalise is not None

    def normalisations(self) -> dict[str, DataConfig]:
        """Return the same pictures under every normalisation, by its name."""
        return {name: replace(self, normalise=name) for name in NORMALISE}


@dataclass(frozen=True)
class ArrayData(DataConfig):
    """Arrays of any shape, with classes, labels, numbers or nothing beside them."""

    name: ClassVar[str] = "arrays"
    naming: ClassVar[tuple[str, ...]] = ("arrays",)

    arrays: str | None = setting(
        None,
        "Examples as .npz (x_train, y_train, ...; or x, y) or as .npy; of several inputs and "
        "outputs as x_train_NAME, y_train_NAME.",
        option=Option("--arrays", "path", "FILE"),
        is_place=True,
    )
    labels: str | None = setting(
        None,
        "Labels of the examples in a .npy, as another .npy.",
        option=Option("--labels", "path", "FILE"),
        is_place=True,
    )
    predict: str = setting(
        "auto",
        "Meaning of the labels: classes, labels (several per example, 0 or 1) or numbers; input: "
        "the network gives back what it takes; auto: as they look. Of several outputs one each, "
        "such as kind=classes,box=numbers.",
        option=Option("--predict", metavar="KIND"),
        rule=NamedRule(one_of(PREDICT)),
    )
    normalise: str | None = setting(
        None,
        "Normalisation of each feature (the last axis): standard (mean 0, deviation 1) or none; of "
        "several inputs one each, such as picture=none,angle=standard.  [default: none where the "
        "network scales its input itself, else standard]",
        rule=NamedRule(one_of((STANDARD, RAW))),
        absent=STANDARD,
    )
    normalise_numbers: str | None = setting(
        None,
        "Normalisation of numbers that are predicted: standard or none.  [default: none where a "
        "file keeps its weights, else standard]",
        rule=one_of((STANDARD, RAW)),
    )
    hold_out: float = setting(
        0.1,
        "Fraction of the training examples, or of their groups, that becomes dev where the file "
        "has no dev split; the same fraction becomes test where it has x and y only.",
        rule=Rule(lambda value: 0 < value < 0.5, "a fraction between 0 and 0.5, e.g. 0.1"),
    )

    @property
    def is_settled(self) -> bool:
        """True where the normalisation is given."""
        return self.normalise is not None

    def for_kept_weights(self) -> DataConfig:
        """Return the same arrays with numbers as they are, unless something else is given."""
        return replace(self, normalise_numbers=self.normalise_numbers or RAW)

    def normalisations(self) -> dict[str, DataConfig]:
        """Return the same arrays under every normalisation, by its name."""
        return {name: replace(self, normalise=name) for name in (STANDARD, RAW)}

    def complaints(self) -> list[Complaint]:
        """Return that the arrays are missing."""
        if self.arrays:
            return []
        return [("arrays", f'data.name = "{self.name}" needs it: give --arrays FILE')]


@dataclass(frozen=True)
class AnomalyData(DataConfig):
    """Sounds of machines: normal ones to learn from, normal and anomalous ones to tell apart."""

    name: ClassVar[str] = "anomaly"
    naming: ClassVar[tuple[str, ...]] = ("machines",)

    machines: str | None = setting(
        None,
        "Folder of a machine with train/normal*.wav and test/{normal,anomaly}_id_XX_*.wav, or of "
        "several such folders.",
        option=Option("--machines", "folder"),
        is_place=True,
    )
    dev_share: float = setting(
        0.25,
        "Fraction of the test clips of each machine that becomes dev.",
        rule=Rule(lambda value: 0 < value < 1, "a fraction between 0 and 1, e.g. 0.25"),
    )


@dataclass(frozen=True)
class OwnData(DataConfig):
    """Data, loss and metric of a user's own task."""

    name: ClassVar[str] = "own"
    naming: ClassVar[tuple[str, ...]] = ("task",)

    task: str | None = setting(
        None,
        "Task of your own: a function that returns its data, loss and metric.",
        option=Option("--task", metavar="MODULE:FUNCTION"),
    )

    def complaints(self) -> list[Complaint]:
        """Return that the task is missing."""
        if self.task:
            return []
        return [("task", f'data.name = "{self.name}" needs it: give --task MODULE:FUNCTION')]


def _refusal(member: type[DataConfig], name: str) -> str:
    """Return what is said of a setting that a data set does not read."""
    others = [f'"{owner.name}"' for owner in DataConfig.family.owners(name)]
    return f'is not used by data.name = "{member.name}"; choose {" or ".join(others)}'


DataConfig.family = Family(
    "name",
    (
        SyntheticSpeechData,
        MixtureData,
        PairedData,
        KeywordData,
        ImageData,
        ArrayData,
        AnomalyData,
        OwnData,
    ),
    _refusal,
    NameRule(DATASETS),
)
