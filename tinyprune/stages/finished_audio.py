"""Scores of finished audio: captures of a device, or what another program has enhanced."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyprune.data.corpora.corpus import Pair
from tinyprune.data.speech import pair_store
from tinyprune.data.speech.finished import aligned_pairs, finished_pairs
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import ItemScore, Scored, Scores
from tinyprune.metrics.scoring import Pair as Signals
from tinyprune.metrics.scoring import score_all
from tinyprune.metrics.selection import metrics_to_score
from tinyprune.metrics.speech import is_defined
from tinyprune.progress import track
from tinyprune.registry import TASKS
from tinyprune.tasks.task import NOISY, NOISY_FORM

SPLIT = "test"
FORM = "audio"
_TASK = "speech"


def score_finished(
    enhanced: Sequence[Path],
    clean: Path,
    noisy: Path | None = None,
    metrics: Sequence[str] = (),
    limited: Sequence[str] = (),
) -> Scored:
    """Score folders of finished audio against the clean speech of the same file names.

    Every file is moved to where its clean speech is, and turned round if it is inverted.

    Args:
        enhanced: folders; the first is the one that others are compared with.
        clean: folder of clean speech. noisy: folder of what went in, scored too.
        metrics: registered names, or "all"; empty: the default ones of speech.
        limited: metrics in which the other folders are held to the first.

    Raises UsageError for folders whose files do not fit together.
    """
    if limited and len(enhanced) < 2:
        raise UsageError("--max-drop holds folders to the first one: give --enhanced twice")
    names = metrics_to_score(metrics, _TASK, TASKS[_TASK].default_metrics, limited)
    folders = [_Folder(str(path), FORM, path, finished_pairs(path, clean)) for path in enhanced]
    snr_db: dict[str, float] = {}
    unprocessed = None
    if noisy:
        input_folder = _Folder(NOISY, NOISY_FORM, noisy, finished_pairs(noisy, clean))
        signals = _with_snrs(input_folder.pairs, input_folder.signals(), snr_db)
        unprocessed = input_folder.scores(signals, names, snr_db)
    models = [(folder.scores(folder.signals(), names, snr_db),) for folder in folders]
    return Scored(SPLIT, names, unprocessed, tuple(models))


@dataclass(frozen=True)
class _Folder:
    """A folder of audio.

    Attributes:
        name, form: in scores. path: of the folder. pairs: its files with their clean speech, in the
            order of their names.
    """

    name: str
    form: str
    path: Path
    pairs: tuple[Pair, ...]

    def signals(self) -> Iterator[Signals]:
        """Yield clean speech and estimate of every file."""
        for aligned in aligned_pairs(self.path, self.pairs):
            yield aligned.clean, aligned.estimate

    def scores(
        self, signals: Iterable[Signals], metrics: Sequence[str], snr_db: Mapping[str, float]
    ) -> Scores:
        """Score its signals. ``snr_db``: of the noisy input by file, as far as it is known."""
        scored = score_all(signals, metrics, len(self.pairs))
        values = list(track(scored, f"scoring {self.path}", len(self.pairs)))
        items = []
        for pair, value in zip(self.pairs, values, strict=True):
            items.append(ItemScore(pair.name, pair.speaker, "", snr_db.get(pair.name), value))
        return Scores(self.name, self.form, SPLIT, tuple(metrics), tuple(items))


def _with_snrs(
    pairs: Sequence[Pair], signals: Iterable[Signals], snr_db: dict[str, float]
) -> Iterator[Signals]:
    """Yield the signals of noisy files; the SNR of each goes to ``snr_db`` as it passes."""
    for pair, (clean, noisy) in zip(pairs, signals, strict=True):
        if is_defined(clean, noisy):
            snr_db[pair.name] = pair_store.measured_snr_db(noisy, clean)
        yield clean, noisy
