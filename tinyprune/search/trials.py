"""The trials of a sweep on disk, and the names of their variants.

::

    RUN/sweep/journal.log           what Optuna was asked and told
    RUN/sweep/variants.json         digest of a chain -> name of its variant
    RUN/sweep/trials/NUMBER.json    what came of a trial
    RUN/sweep/scores/VARIANT.npz    the metric of every item of dev
    RUN/sweep/answer.json           fronts and the variant to ship
    RUN/sweep/final.json            scores on test
"""

import hashlib
import json
from pathlib import Path

from tinyprune.artifacts.sweep import (
    ANSWER,
    FinalScore,
    FinalScores,
    SweepAnswer,
    TrialRecord,
)
from tinyprune.config import SweepConfig, TargetConfig, to_mapping
from tinyprune.search.space import Chain
from tinyprune.storage.digests import read_sealed_as, write_sealed
from tinyprune.storage.writing import make_folder

#: Begin of the names of variants; what they are is said beside them.
PREFIX = "sweep-"
FINAL = "final.json"
_AGAIN = "delete it and run the same command again"
#: Settings of a sweep that may change without making another study of it.
_LIMITS_OF_SWEEP = ("sampler", "trials", "hours", "halving", "seed")


class TrialFolder:
    """The folder of a sweep in a run.

    Attributes:
        root: its path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._study = ""
        make_folder(root)

    def study_name(self, config: SweepConfig, target: TargetConfig) -> str:
        """Return the name of the study of a space: another one where the space is another."""
        record = to_mapping(config)
        for name in _LIMITS_OF_SWEEP:
            del record[name]
        if not config.width:  # the study has the name that it had before there were widths
            del record["width"]
        text = json.dumps([record, to_mapping(target)], sort_keys=True)
        self._study = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._study

    def names(self, chain: Chain) -> tuple[str, ...]:
        """Return the variant of each prefix of a chain; new ones are numbered and kept."""
        path = self.root / "variants.json"
        known = read_sealed_as(path, dict[str, str], _AGAIN) if path.exists() else {}
        digests = chain.digests()
        for digest in digests:
            known.setdefault(digest, f"{PREFIX}{len(known) + 1}")
        write_sealed(path, known)
        return tuple(known[digest] for digest in digests)

    def records(self) -> list[TrialRecord]:
        """Return the trials of the study that were kept, in their order.

        Raises TinypruneError where one is not as it was written.
        """
        paths = sorted((self.root / "trials").glob(f"{self._study}-*.json"))
        return [read_sealed_as(path, TrialRecord, _AGAIN) for path in paths]

    def keep(self, record: TrialRecord) -> None:
        """Keep a trial of the study."""
        folder = self.root / "trials"
        make_folder(folder)
        write_sealed(folder / f"{self._study}-{record.number:05d}.json", record)

    def keep_answer(self, found: SweepAnswer) -> None:
        """Keep the answer."""
        write_sealed(self.root / ANSWER, found)

    def final_scores(self) -> tuple[FinalScore, ...]:
        """Return the scores on test that were measured.

        Raises TinypruneError where the record is not as it was written.
        """
        path = self.root / FINAL
        return read_sealed_as(path, FinalScores, _AGAIN).scores if path.exists() else ()

    def keep_final(self, score: FinalScore) -> None:
        """Keep a score on test."""
        write_sealed(self.root / FINAL, FinalScores((*self.final_scores(), score)))
