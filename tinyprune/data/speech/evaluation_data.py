"""Recordings that are only scored: pairs of folders or a corpus that no training has seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tinyprune.config import MixtureData, PairedData
from tinyprune.config.data import Folders
from tinyprune.config.values import each_of
from tinyprune.errors import UsageError
from tinyprune.registry import DATASETS

if TYPE_CHECKING:
    from tinyprune.data.corpora.corpus import Corpus, CorpusSplit
    from tinyprune.data.speech.dataset import SpeechData
    from tinyprune.data.speech.mixture_dataset import MixtureDataset
    from tinyprune.data.speech.paired import PairedDataset

_FOLDER_PAIRS = (("noisy", "clean"), ("test_speech", "test_noise"))


@dataclass(frozen=True)
class EvaluationData:
    """Recordings that are scored instead of a run's own split; None for those that are not named.

    Attributes:
        task: name of the task that recordings are for (registry.TASKS).
        test_speech, test_noise: folders that are mixed as the run's data are, one or several each.
        noisy, clean: folders of pairs by file name, as many of each, or one clean one for all.
        path: a corpus in a known layout, or a CSV manifest (data/corpora/layouts.py).
    """

    task: ClassVar[str] = "speech"

    test_speech: Folders = None
    test_noise: Folders = None
    noisy: Folders = None
    clean: Folders = None
    path: str | None = None

    @property
    def is_standalone(self) -> bool:
        """True for pairs and corpora: they are scored as they are, without a run's settings."""
        return any((self.noisy, self.clean, self.path))

    @property
    def is_empty(self) -> bool:
        """True where nothing is named, so that a run's own split is scored."""
        return self == EvaluationData()

    def check(self) -> None:
        """Raise UsageError for one folder of a pair, and for data that are named in two ways."""
        for first, second in _FOLDER_PAIRS:
            if bool(getattr(self, first)) != bool(getattr(self, second)):
                flags = [f"--{name.replace('_', '-')}" for name in (first, second)]
                raise UsageError(f"{flags[0]} and {flags[1]} go together: give both or none")

        sources = [self.noisy, self.path, self.test_speech]
        if sum(map(bool, sources)) > 1:
            raise UsageError(
                "--noisy and --clean, --path, --test-speech and --test-noise: give one of the three"
            )


def load_evaluation_data(data: EvaluationData, cache: Path) -> "SpeechData":
    """Return the data set whose "test" split is these pairs, this corpus, or these folders, mixed.

    Where a corpus of pairs has no test split, its first split is scored. Decoded audio goes to
    ``cache``. Raises UsageError for data that cannot be scored.
    """
    from tinyprune.data.corpora import layouts
    from tinyprune.data.speech import pair_store

    if data.test_speech:
        return _folders(data, cache)
    if not data.path:
        noisy, clean = each_of(data.noisy), each_of(data.clean)
        name = f"{', '.join(noisy)} and {', '.join(clean)}"
        if len(clean) == 1:
            clean *= len(noisy)
        pairs = pair_store.match_each(list(map(Path, noisy)), list(map(Path, clean)))
        return _paired(pairs, name, cache)

    corpus = layouts.recognise(Path(data.path))
    if corpus.dataset != "paired":
        return _mixed(corpus, data.path, cache)
    first_split = next(iter(corpus.splits.values()))
    return _paired(corpus.splits.get("test", first_split), data.path, cache)


def _paired(pairs: "CorpusSplit", name: str, cache: Path) -> "PairedDataset":
    """Return a data set of pairs that are all in its test split."""
    from tinyprune.data.clips import EXACT
    from tinyprune.data.speech import pair_store
    from tinyprune.data.speech.paired import PairedDataset

    default = PairedData()
    store = pair_store.open_pairs(pairs, name, cache, EXACT)
    return PairedDataset({"test": store}, default.level_db, default.speed, len(store), default.seed)


def _folders(data: EvaluationData, cache: Path) -> "MixtureDataset":
    """Return mixtures of speech and noise, as they are by default."""
    from tinyprune.data.corpora.corpus import files_in_each
    from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
    from tinyprune.data.speech.mixture import open_files
    from tinyprune.data.speech.mixture_dataset import MixtureDataset

    default = MixtureData()
    split = SpeechAndNoise(
        open_files("speech", files_in_each(list(map(Path, each_of(data.test_speech)))), cache),
        open_files("noise", files_in_each(list(map(Path, each_of(data.test_noise)))), cache),
    )
    mixing = Mixing.from_config(default)
    return MixtureDataset({"test": split}, mixing, default.dev_utterances, default.seed)


def _mixed(corpus: "Corpus", path: str, cache: Path) -> "SpeechData":
    """Return the data set of a corpus of speech and noise that has a test split."""
    if corpus.dataset != "mixture" or "test" not in corpus.splits:
        raise UsageError(
            f"{path} ({corpus.layout}) has nothing to score: expected pairs, or a test split"
        )
    dataset: SpeechData = DATASETS[corpus.dataset](MixtureData(path=path), cache)
    return dataset
