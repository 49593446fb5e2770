"""An opened run folder: its recipe, its task, its variants and what they are loaded from.

Heavy rooms are imported where they are used: a stage that is finished already costs no import.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts.quality import TaskRecord
from tinyprune.config import DataConfig, RunConfig, from_mapping
from tinyprune.errors import UsageError
from tinyprune.registry import DATASETS
from tinyprune.storage.digests import read_sealed, write_sealed
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, COMPILE_LOCK, RunIsBusy, Variant, Workspace

if TYPE_CHECKING:
    import keras

    from tinyprune.tasks.task import Dataset, Task

log = logging.getLogger(__name__)
TEST_FOLDERS = "test-folders.json"


class Run:
    """A run folder and what its records say.

    The stages (train.py, prune.py, ...) take a run or its folder; a run that is opened once keeps
    its data between them.

    Attributes:
        space: the folder.
    """

    def __init__(self, space: Workspace) -> None:
        self.space = space

    @property
    def baseline(self) -> Variant:
        """The float32 baseline. Raises UsageError where there is none."""
        return self.require(BASELINE)

    def require(self, name: str) -> Variant:
        """Return a trained variant by name. Raises UsageError that says what there is."""
        variant = self.space.variant(name)
        if not variant.is_done("train"):
            known = ", ".join(other.name for other in self.space.variants())
            advice = (
                f"it has {known}" if known else self.space.advice("run `tinyprune train` first")
            )
            raise UsageError(f"no finished variant '{name}' in {self.space.root}: {advice}")
        return variant

    def require_network(self, name: str) -> Variant:
        """Return a variant with a Keras model. Raises UsageError for one of the offline control."""
        variant = self.require(name)
        if is_offline(variant):
            raise UsageError(
                f"variant '{name}' was pruned offline and has no Keras model: "
                "start --from the one that it was made of"
            )
        return variant

    @cached_property
    def recipe(self) -> RunConfig:
        """The configuration that the baseline was trained with."""
        configuration = self.baseline.configuration()
        # Settings that came after a record had the defaults that all data sets had then.
        at_first = DataConfig.family.members[0]().default_record()
        recorded = {**configuration, "data": {**at_first, **configuration["data"]}}
        tables = {}
        for name in ("data", "model", "train"):
            table = recorded[name]
            tables[name] = {key: value for key, value in table.items() if value is not None}
        return from_mapping(tables)

    @cached_property
    def record(self) -> TaskRecord:
        """The task of the networks of this run, as its record says."""
        return read_json(self.baseline.folder / "task.json", TaskRecord)

    @cached_property
    def task(self) -> "Task":
        """The task with the data of the baseline.

        Raises UsageError where they are not what the baseline was trained on any more.
        """
        dataset = self.load_dataset(self.recipe.data)
        if digest(dataset) != self.baseline.configuration()["data_sha256"]:
            raise UsageError(
                f"the files of the data have changed since the baseline in {self.space.root} "
                "was trained: bring them back, or train in another --run"
            )
        return self.task_of(dataset)

    def load_dataset(self, config: DataConfig) -> "Dataset":
        """Load a data set; decoded audio is kept in the run folder."""
        dataset: Dataset = DATASETS[config.name](config, self.space.data)
        return dataset

    def task_of(self, dataset: "Dataset") -> "Task":
        """Return the task of a data set, with the front end of this run's baseline."""
        from tinyprune.tasks import lookup

        return lookup.task_of(dataset, self.recipe.train, self.baseline.folder / "frontend.json")

    def load_network(self, variant: Variant) -> "keras.Model":
        """Load the Keras model of a variant.

        Layers of the user come from the modules that those of the baseline came from.
        """
        from tinyprune.models.loading.own import is_own
        from tinyprune.stages.own_networks import load

        config = self.recipe.model
        module, colon, _ = str(config.name).partition(":")
        defining = (module,) if colon and is_own(str(config.name)) else ()
        return load(str(variant.folder / "model.keras"), (*config.custom, *defining))

    def test_folders(self) -> dict[str, Any]:
        """Return the folders of the test split that the run was given last, by field of DataConfig.

        No training depends on them, so they are no part of what a variant claims.
        """
        path = self.space.root / TEST_FOLDERS
        return read_sealed(path, "delete it and train again") if path.exists() else {}

    def keep_test_folders(self, folders: Mapping[str, Any]) -> None:
        """Remember the folders of the test split."""
        write_sealed(self.space.root / TEST_FOLDERS, folders)


@contextmanager
def open_run(run: Path | Run) -> Iterator[Run]:
    """Keep a run that has a baseline to this process.

    A run that is opened already is taken as it is. Raises UsageError where there is no baseline,
    and makes nothing then.
    """
    if isinstance(run, Run):
        yield run
        return
    opened = Run(Workspace(run))
    opened.require(BASELINE)
    with opened.space.locked():
        yield opened


@contextmanager
def run_to_compile(run: Path | Run) -> Iterator[tuple[Run, list[Variant]]]:
    """Yield a run and its variants that can be compiled.

    Where another process trains in it, those are the ones that it has finished and exported, and
    the baseline. Raises UsageError where there is no baseline, RunIsBusy where another process
    compiles beside a training.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_run(run))
            variants = opened.space.variants()
        except RunIsBusy:
            assert not isinstance(run, Run), "a run that is opened is this process's"
            opened = Run(stack.enter_context(Workspace(run).locked(COMPILE_LOCK)))
            variants = _exported(opened.space)
        yield opened, variants


def _exported(space: Workspace) -> list[Variant]:
    """Return the variants that another process has finished, and say which ones are left out."""
    finished = []
    others = []
    for variant in space.begun():
        if variant.name == BASELINE or variant.has_files("export") or is_offline(variant):
            finished.append(variant)
        else:
            others.append(variant.name)
    log.info(
        "another tinyprune works in %s: finished variants are compiled, not yet %s",
        space.root,
        ", ".join(others) or "the one that begins",
    )
    return finished


@contextmanager
def begin_run(run: Path | Run) -> Iterator[Run]:
    """Keep a run, a new one too, to this process; a run that is opened is taken as it is."""
    if isinstance(run, Run):
        yield run
        return
    with Workspace(run).locked() as space:
        yield Run(space)


def read_run(run: Path | Run) -> Run:
    """Return a run that is only read: other processes may work in it."""
    return run if isinstance(run, Run) else Run(Workspace(run))


def is_offline(variant: Variant) -> bool:
    """Return whether a variant was pruned without training, so that there is no Keras model."""
    return "offline" in variant.configuration()


def digest(dataset: "Dataset") -> str:
    """SHA-256 of a data set: another one where a sample of training or dev is."""
    return hashlib.sha256(dataset.fingerprint().encode()).hexdigest()
