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

from tinyprune.config import SweepConfig, TargetConfig, to_mapping
from tinyprune.search.record import FinalScore, SweepAnswer, TrialRecord
from tinyprune.search.space import Chain
from tinyprune.storage.digests import write_sealed
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.writing import make_folder

#: Begin of the names of variants; what they are is said beside them.
PREFIX = "sweep-"
ANSWER = "answer.json"
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
        text = json.dumps([record, to_mapping(target)], sort_keys=True)
        self._study = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._study

    def names(self, chain: Chain) -> tuple[str, ...]:
        """Return the variant of each prefix of a chain; new ones are numbered and kept."""
        path = self.root / "variants.json"
        known = read_json(path, dict[str, str]) if path.exists() else {}
        digests = chain.digests()
        for digest in digests:
            known.setdefault(digest, f"{PREFIX}{len(known) + 1}")
        write_json(path, known)
        return tuple(known[digest] for digest in digests)

    def records(self) -> list[TrialRecord]:
        """Return the trials of the study that were kept, in their order."""
        paths = sorted((self.root / "trials").glob(f"{self._study}-*.json"))
        return [read_json(path, TrialRecord) for path in paths]

    def keep(self, record: TrialRecord) -> None:
        """Keep a trial of the study."""
        folder = self.root / "trials"
        make_folder(folder)
        write_json(folder / f"{self._study}-{record.number:05d}.json", record)

    def keep_answer(self, found: SweepAnswer) -> None:
        """Keep the answer."""
        write_sealed(self.root / ANSWER, found)

    def final_scores(self) -> list[FinalScore]:
        """Return the scores on test that were measured."""
        path = self.root / "final.json"
        return read_json(path, list[FinalScore]) if path.exists() else []

    def keep_final(self, score: FinalScore) -> None:
        """Keep a score on test."""
        write_json(self.root / "final.json", [*self.final_scores(), score])
