"""The choice of the next trial, by Optuna; its journal in the run folder survives any end.

Akiba et al. 2019, "Optuna: A Next-generation Hyperparameter Optimization Framework". Samplers: TPE,
Bergstra et al. 2011, for several objectives Ozaki et al. 2022; NSGA-II, Deb et al. 2002. Successive
halving without waiting: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning".
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyprune.config import SweepConfig, TargetConfig
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.search.space import MANY, Chain, Choices, draw, every_chain

log = logging.getLogger(__name__)
JOURNAL = "journal.log"
#: A sampler that proposes this many chains in a row that were tried before has nothing new.
MOST_REPEATED = 50
_FIRST_RANDOM = 8  # trials, before a model of the space is worth anything
_POPULATION = 12
_RUNG_FACTOR = 3


@dataclass(frozen=True)
class Asked:
    """A chain that is to be tried.

    Attributes:
        number: of the trial, from 0.
        chain: the prunings.
    """

    number: int
    chain: Chain


class Study:
    """The trials of one space.

    A space or objectives that have changed are another study; both may be in one journal.
    """

    def __init__(
        self, folder: Path, name: str, config: SweepConfig, target: TargetConfig, is_higher: bool
    ) -> None:
        """Open the study in a folder.

        Args:
            folder: with the journal.
            name: of the study.
            config: the space, the objectives and the sampler.
            target: of budgets.
            is_higher: whether more of the metric is better.
        """
        self._config = config
        self._target = target
        self._points = _points_if_all(config, target)
        directions = ["maximize" if is_higher else "minimize"]
        directions += ["minimize"] * len(config.costs)
        self._study = _open(folder, name, _sampler(config), directions)
        self._open_again = self._interrupted()
        self._tried = self._families()

    @property
    def size(self) -> int | None:
        """The number of chains where all of them are tried; None where some are."""
        if self._points is None:
            return None
        return len(self._points)

    def ask(self) -> Asked | None:
        """Return the next chain that was not tried before; None where there is none.

        Trials that were interrupted come first.
        """
        if self._open_again:
            return self._open_again.pop(0)
        for _ in range(MOST_REPEATED):
            if self._points is not None and not self._queue_next():
                return None
            trial = self._study.ask()
            chain = draw(self._config, self._target, _chooser(trial))
            family = chain.family()
            if family not in self._tried:
                self._tried.add(family)
                return Asked(trial.number, chain)
            self._study.tell(trial, state=_states().FAIL)
        return None

    def tell(
        self, number: int, values: Sequence[float] | None, excess: Mapping[str, float]
    ) -> None:
        """Keep what came of a trial.

        Args:
            number: of the trial.
            values: the metric, then the costs; None: it failed, or was stopped.
            excess: limit -> how far above it the trial is; at most 0 where it is kept.
        """
        if values is None:
            self._study.tell(number, state=_states().FAIL)
            return
        trial = _trial_of(self._study, number)
        for name, value in excess.items():
            trial.set_constraint(name, value)
        self._study.tell(number, list(values))

    def _queue_next(self) -> bool:
        """Let the next point of a space that is tried as a whole be asked. False: there is none."""
        assert self._points is not None
        for chain, choices in self._points:
            if chain.family() not in self._tried:
                self._study.enqueue_trial(_parameters(choices))
                return True
        return False

    def _interrupted(self) -> list[Asked]:
        """Return the trials that were begun and did not end."""
        found = []
        for frozen in self._study.get_trials(states=(_states().RUNNING,)):
            trial = _trial_of(self._study, frozen.number)
            chain = draw(self._config, self._target, _chooser(trial))
            found.append(Asked(frozen.number, chain))
        return found

    def _families(self) -> set[str]:
        """Return the chains that were asked before."""
        families = set()
        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.state == _states().WAITING:
                continue
            trial = _trial_of(self._study, frozen.number)
            families.add(draw(self._config, self._target, _chooser(trial)).family())
        return families


class Halving:
    """Successive halving of one training against those of the same size.

    Called with epoch and score after each epoch; it raises Hopeless where the score is not among
    the best third of those that came as far.
    """

    def __init__(self, folder: Path, family: str, variant: str, is_higher: bool) -> None:
        """Enter a training.

        Args:
            folder: with the journal.
            family: name of the trainings that it is compared with.
            variant: its name.
            is_higher: whether more of the metric is better.
        """
        import optuna

        pruner = optuna.pruners.SuccessiveHalvingPruner(
            min_resource=2, reduction_factor=_RUNG_FACTOR
        )
        direction = "maximize" if is_higher else "minimize"
        self._study = _open(folder, f"halving-{family[:16]}", None, [direction], pruner)
        self._trial = self._entered(variant)
        self._last = 0.0

    def __call__(self, epoch: int, score: float) -> None:
        """Report an epoch, from 1. Raises Hopeless."""
        self._last = score
        self._trial.report(score, epoch)
        if self._trial.should_prune():
            self._study.tell(self._trial, state=_states().PRUNED)
            raise Hopeless(f"behind others of its size after {epoch} epochs")

    def finished(self) -> None:
        """Report the end."""
        self._study.tell(self._trial, self._last)

    def _entered(self, variant: str) -> Any:
        """Return the trial of the variant: the one that was interrupted, or a new one."""
        for frozen in self._study.get_trials(states=(_states().RUNNING,)):
            if frozen.user_attrs.get("variant") == variant:
                return _trial_of(self._study, frozen.number)
        trial = self._study.ask()
        trial.set_user_attr("variant", variant)
        return trial


class Hopeless(TinypruneError):
    """A training that is stopped because others of its size are ahead."""


def _points_if_all(config: SweepConfig, target: TargetConfig) -> list[tuple[Chain, Choices]] | None:
    """Return every chain with its choices where all are tried; None where a sampler chooses.

    Raises UsageError for a grid that never ends.
    """
    if config.sampler not in ("auto", "grid"):
        return None
    most = MANY if config.sampler == "grid" else config.trials + 1
    points = []
    for choices, chain in every_chain(config, target):
        points.append((chain, choices))
        if len(points) == most:
            break
    if len(points) < most:
        return points
    if config.sampler == "grid":
        raise UsageError(
            f"sweep.sampler: a grid of {MANY} or more chains: take fewer values, or tpe"
        )
    return None


def _chooser(trial: Any) -> Any:
    """Return the chooser of a trial: numbers are in order, names are not."""

    def choose(axis: str, values: Sequence[Any]) -> Any:
        if not _are_numbers(values):
            return trial.suggest_categorical(axis, list(values))
        ordered = sorted(values)
        return ordered[trial.suggest_int(axis, 0, len(ordered) - 1)]

    return choose


def _parameters(choices: Choices) -> dict[str, Any]:
    """Return choices as the chooser of a trial has them: of numbers, which in their order."""
    parameters = {}
    for axis, (values, value) in choices.items():
        parameters[axis] = value
        if _are_numbers(values):
            parameters[axis] = sorted(values).index(value)
    return parameters


def _are_numbers(values: Sequence[Any]) -> bool:
    """Return whether values have an order."""
    if isinstance(values[0], bool):
        return False
    return all(isinstance(value, int | float) for value in values)


def _sampler(config: SweepConfig) -> Any:
    """Return the sampler of a configuration."""
    import optuna

    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed=config.seed)
    if config.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=config.seed, population_size=_POPULATION)
    return optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=_FIRST_RANDOM)


def _open(folder: Path, name: str, sampler: Any, directions: Any, pruner: Any = None) -> Any:
    """Return a study of the journal in a folder, made if it is not there.

    Raises TinypruneError for a journal that is damaged.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JOURNAL
    try:
        return optuna.create_study(
            study_name=name,
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
            sampler=sampler,
            pruner=pruner,
            directions=directions,
            load_if_exists=True,
        )
    except OSError:
        raise
    except Exception as error:  # Optuna raises whatever a damaged line leads to
        raise TinypruneError(
            f"{path} cannot be read ({type(error).__name__}): delete it and run the same command "
            "again; trials that are finished stay"
        ) from error


def _trial_of(study: Any, number: int) -> Any:
    """Return a trial of a study, to go on with."""
    import optuna

    [frozen] = [trial for trial in study.get_trials(deepcopy=False) if trial.number == number]
    return optuna.trial.Trial(study, frozen._trial_id)


def _states() -> Any:
    """Return the states that a trial may be in."""
    import optuna

    return optuna.trial.TrialState
