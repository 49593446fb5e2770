"""Scores of finished audio: captures of a device, or what another program has enhanced."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyprune.data.corpora.corpus import Pair
from tinyprune.data.speech import pair_store
from tinyprune.data.speech.finished import aligned_pairs, finished_pairs
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.metrics.scores import ItemScore, Scored, Scores
from tinyprune.metrics.scoring import Pair as Signals
from tinyprune.metrics.scoring import score_all
from tinyprune.metrics.selection import metrics_to_score
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
    pairs_of = {folder: finished_pairs(folder, clean) for folder in enhanced}
    noisy_pairs = finished_pairs(noisy, clean) if noisy else ()
    snr_db = dict(_snrs(noisy_pairs))

    unprocessed = None
    if noisy:
        unprocessed = _scores(NOISY, NOISY_FORM, noisy, noisy_pairs, names, snr_db)
    models = []
    for folder, pairs in pairs_of.items():
        models.append((_scores(str(folder), FORM, folder, pairs, names, snr_db),))
    return Scored(SPLIT, names, unprocessed, tuple(models))


def _snrs(pairs: Sequence[Pair]) -> Iterator[tuple[str, float]]:
    """Yield the name and the SNR in dB of noisy files, as far as they fit their clean ones."""
    for pair in pairs:
        try:
            noisy, clean = pair_store.read_pair(pair)
        except TinypruneError:
            continue
        yield pair.name, pair_store.measured_snr_db(noisy, clean)


def _scores(
    name: str,
    form: str,
    folder: Path,
    pairs: Sequence[Pair],
    metrics: Sequence[str],
    snr_db: dict[str, float],
) -> Scores:
    """Score the files of one folder, in the order of their names."""
    scored = score_all(_signals(folder, pairs), metrics, len(pairs))
    values = list(track(scored, f"scoring {folder}", len(pairs)))
    items = []
    for pair, value in zip(pairs, values, strict=True):
        items.append(ItemScore(pair.name, pair.speaker, "", snr_db.get(pair.name), value))
    return Scores(name, form, SPLIT, tuple(metrics), tuple(items))


def _signals(folder: Path, pairs: Sequence[Pair]) -> Iterator[Signals]:
    """Yield clean speech and estimate of every file."""
    for aligned in aligned_pairs(folder, pairs):
        yield aligned.clean, aligned.estimate
