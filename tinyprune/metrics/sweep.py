"""Figures of sweeps: how good a denoiser is under each condition, and where it must not be used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

#: Version of :class:`SweepReport` as JSON.
SCHEMA = 1
METRIC = "si_sdr_db"
#: An output that is worse than its input by more than this is harmed, in dB.
HARM_DB = 0.5
#: More than this share of harmed files is too many.
HARMED_SHARE = 0.1
#: Clean speech has to come through with at least this SI-SDR against itself, in dB.
CLEAN_MEAN_DB = 25.0
CLEAN_WORST_DB = 15.0
#: The improvement at one level may be this much below that at the best level, in dB.
LEVEL_LOSS_DB = 0.5
#: Stands for an output without any sound, in dB: the lowest SI-SDR.
SILENT_DB = -60.0


@dataclass(frozen=True)
class SweptFile:
    """One file under one condition, of one model.

    Attributes:
        sweep, condition: as in tables. model, form: what enhanced it.
        name: of the file. category: of its noise, or "".
        has_noise: False where its input is clean.
        input_db, output_db: SI-SDR against the clean speech.
    """

    sweep: str
    condition: str
    model: str
    form: str
    name: str
    category: str
    has_noise: bool
    input_db: float
    output_db: float

    @property
    def score_db(self) -> float:
        """The number that files are ranked by: the improvement, or what is left of clean speech."""
        if self.has_noise:
            return self.output_db - self.input_db
        return self.output_db


@dataclass(frozen=True)
class SweepRow:
    """One condition of one model.

    Attributes:
        sweep, condition: as in tables; of the sweep of SNRs also the categories of noise,
            each over all SNRs.
        model, form: what was measured.
        has_noise: False where inputs are clean: then files are harmed below CLEAN_WORST_DB.
        files: how many. harmed: how many of them are harmed.
        input_db, output_db: mean SI-SDR. worst_db: the worst improvement, or of clean speech the
            worst output. worst_file: its name.
    """

    sweep: str
    condition: str
    model: str
    form: str
    has_noise: bool
    files: int
    harmed: int
    input_db: float
    output_db: float
    worst_db: float
    worst_file: str

    @property
    def gain_db(self) -> float:
        """The mean improvement."""
        return self.output_db - self.input_db


@dataclass(frozen=True)
class Limit:
    """Conditions of a sweep under which a network must not be used.

    Attributes:
        model, form: of the network. sweep: name. text: conditions, figures and advice.
    """

    model: str
    form: str
    sweep: str
    text: str


@dataclass(frozen=True)
class SweepReport:
    """All that sweeps have measured.

    Attributes:
        schema: version of this record. metric: registered name. split: "dev" or "test".
        thresholds: name -> value of all that limits follow from; ``_db`` says that it is in dB.
        rows: by sweep, condition and model. limits: where networks must not be used.
    """

    schema: int
    metric: str
    split: str
    thresholds: dict[str, float]
    rows: tuple[SweepRow, ...]
    limits: tuple[Limit, ...]

    @property
    def models(self) -> list[tuple[str, str]]:
        """Model and form of everything that was measured, the first first."""
        return list(dict.fromkeys((row.model, row.form) for row in self.rows))

    @property
    def sweeps(self) -> list[str]:
        """The sweeps, in their order."""
        return list(dict.fromkeys(row.sweep for row in self.rows))


def report(files: Sequence[SweptFile], split: str) -> SweepReport:
    """Return the figures of files, in their order, and the limits that follow from them."""
    rows: list[SweepRow] = []
    for sweep in dict.fromkeys(file.sweep for file in files):
        of_sweep = [file for file in files if file.sweep == sweep]
        rows += _rows([(file.condition, file) for file in of_sweep])
        if sweep == "snr":
            rows += _rows(_by_category(of_sweep))
    thresholds = {
        "harm_db": HARM_DB,
        "harmed_share": HARMED_SHARE,
        "clean_mean_db": CLEAN_MEAN_DB,
        "clean_worst_db": CLEAN_WORST_DB,
        "level_loss_db": LEVEL_LOSS_DB,
    }
    return SweepReport(SCHEMA, METRIC, split, thresholds, tuple(rows), tuple(_limits(rows)))


def _by_category(files: Sequence[SweptFile]) -> list[tuple[str, SweptFile]]:
    """Return files with the category of their noise as the condition, in alphabetical order."""
    known = [file for file in files if file.category]
    known.sort(key=lambda file: file.category)
    return [(file.category, file) for file in known]


def _rows(labelled: Sequence[tuple[str, SweptFile]]) -> list[SweepRow]:
    """Return a row per label and model of labelled files, in the order of the files."""
    groups: dict[tuple[str, str, str], list[SweptFile]] = {}
    for label, file in labelled:
        groups.setdefault((label, file.model, file.form), []).append(file)
    return [_row(label, group) for (label, _, _), group in groups.items()]


def _row(label: str, files: Sequence[SweptFile]) -> SweepRow:
    """Return the figures of the files of one condition and one model."""
    worst = min(files, key=lambda file: file.score_db)
    threshold = -HARM_DB if worst.has_noise else CLEAN_WORST_DB
    return SweepRow(
        sweep=worst.sweep,
        condition=label,
        model=worst.model,
        form=worst.form,
        has_noise=worst.has_noise,
        files=len(files),
        harmed=sum(file.score_db < threshold for file in files),
        input_db=float(np.mean([file.input_db for file in files])),
        output_db=float(np.mean([file.output_db for file in files])),
        worst_db=worst.score_db,
        worst_file=worst.name,
    )


# --- limits


def _limits(rows: Sequence[SweepRow]) -> Iterator[Limit]:
    """Yield under which conditions of each sweep a network must not be used, with figures."""
    groups: dict[tuple[str, str, str], list[SweepRow]] = {}
    for row in rows:
        groups.setdefault((row.model, row.form, row.sweep), []).append(row)
    for (model, form, sweep), group in groups.items():
        for text in filter(None, (_harm(group), _loss(group), _quietness(group))):
            yield Limit(model, form, sweep, f"{sweep}: {text}")


def _harm(rows: Sequence[SweepRow]) -> str:
    """Return where noisy recordings become worse, or ""."""
    harmful = list(filter(_is_harmful, rows))
    if not harmful:
        return ""
    places = [f"{row.condition} ({row.harmed} of {row.files} files)" for row in harmful]
    worst = min(harmful, key=lambda row: row.worst_db)
    return (
        f"recordings become worse at {', '.join(places)}, the worst by {-worst.worst_db:.1f} dB "
        f"({worst.condition}, {stem(worst.worst_file)}): leave such recordings as they are"
    )


def _is_harmful(row: SweepRow) -> bool:
    """Return whether noisy recordings become worse in the mean, or too many of them do."""
    if not row.has_noise:
        return False
    return row.gain_db < 0 or row.harmed > HARMED_SHARE * row.files


def _loss(rows: Sequence[SweepRow]) -> str:
    """Return where clean speech suffers, or ""."""
    places = []
    for row in filter(_is_lossy, rows):
        places.append(
            f"{row.condition} (mean {row.output_db:.1f} dB, worst file {row.worst_db:.1f} dB)"
        )
    if not places:
        return ""
    return (
        f"{', '.join(places)}; wanted {CLEAN_MEAN_DB:g} and {CLEAN_WORST_DB:g} dB: "
        "do not use where such speech comes without noise"
    )


def _is_lossy(row: SweepRow) -> bool:
    """Return whether too little is left of clean speech."""
    if row.has_noise:
        return False
    return row.output_db < CLEAN_MEAN_DB or row.worst_db < CLEAN_WORST_DB


def _quietness(rows: Sequence[SweepRow]) -> str:
    """Return at which levels less is gained, or ""."""
    of_levels = [row for row in rows if row.sweep == "level"]
    best_db = max((row.gain_db for row in of_levels), default=0.0)
    places = []
    for row in of_levels:
        loss_db = best_db - row.gain_db
        if loss_db > LEVEL_LOSS_DB:
            places.append(f"{row.condition} (by {loss_db:.1f} dB)")
    if not places:
        return ""
    return (
        f"less is gained than at the best level at {', '.join(places)}: "
        "bring recordings to a usual level"
    )


def stem(name: str) -> str:
    """Return the name of a file, or of a mixture, without folders and suffixes."""
    return "+".join(PurePath(part).stem for part in name.split("+"))
