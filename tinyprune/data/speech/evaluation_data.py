"""Recordings that are only scored: pairs of folders or a corpus that no training has seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune.config import DataConfig
from tinyprune.errors import UsageError
from tinyprune.registry import DATASETS

if TYPE_CHECKING:
    from tinyprune.data.speech.dataset import SpeechData


@dataclass(frozen=True)
class GivenData:
    """What is scored instead of a run's own split; what is None is not given.

    Attributes:
        test_speech, test_noise: folders that are mixed as the run's data are.
        noisy, clean: folders of pairs by file name.
        path: a corpus in a known layout, or a CSV manifest (data/corpora/layouts.py).
    """

    test_speech: str | None = None
    test_noise: str | None = None
    noisy: str | None = None
    clean: str | None = None
    path: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it needs no run: pairs and corpora are scored as they are."""
        return any((self.noisy, self.clean, self.path))

    @property
    def is_given(self) -> bool:
        """Whether there is anything in it."""
        return self.is_whole or any((self.test_speech, self.test_noise))

    def check(self) -> None:
        """Raise UsageError for half of a pair of folders, and for two ways of naming the data at once."""
        for one, other in (("noisy", "clean"), ("test_speech", "test_noise")):
            if bool(getattr(self, one)) != bool(getattr(self, other)):
                flags = [f"--{name.replace('_', '-')}" for name in (one, other)]
                raise UsageError(f"{flags[0]} and {flags[1]} go together: give both or none")
        if sum(map(bool, (self.noisy, self.path, self.test_speech))) > 1:
            raise UsageError(
                "--noisy and --clean, --path, --test-speech and --test-noise: give one of the three"
            )


def load_given(data: GivenData, cache: Path) -> "SpeechData":
    """The data set whose "test" split is these pairs or this corpus; decoded audio goes to ``cache``.

    Of a corpus of pairs without a test split all pairs are it. Raises UsageError for what does not
    serve.
    """
    from tinyprune.data.corpora import layouts
    from tinyprune.data.speech import pair_store
    from tinyprune.data.speech.paired import PairedDataset

    if data.path:
        corpus = layouts.recognise(Path(data.path))
        if corpus.dataset != "paired":
            config = DataConfig(name=corpus.dataset, path=data.path)
            if corpus.dataset != "mixture" or "test" not in corpus.splits:
                raise UsageError(
                    f"{data.path} ({corpus.layout}) has nothing to score: expected pairs, or a test split"
                )
            mixed: SpeechData = DATASETS[corpus.dataset](config, cache)
            return mixed
        part = (
            corpus.splits["test"] if "test" in corpus.splits else next(iter(corpus.splits.values()))
        )
    else:
        part = pair_store.match(Path(str(data.noisy)), Path(str(data.clean)))
    default = DataConfig()
    store = pair_store.open_pairs(part, data.path or f"{data.noisy} and {data.clean}", cache)
    return PairedDataset({"test": store}, default.level_db, default.speed, len(store), default.seed)
