"""Finished runs as objects: variants, their quality, their costs."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import UsageError, check_name
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.model.summary import summary_rows
from tinyprune.report.render.run_tables import format_report
from tinyprune.report.render.terminal import to_text
from tinyprune.storage.run_folder import Variant, Workspace

if TYPE_CHECKING:
    import keras


class FinishedVariant:
    """One variant of a run.

    Attributes:
        name: of the variant.
        record: everything that the run folder says of it.
        folder: the files of it.
        costs: name of a target -> costs on it, of the targets that it was compiled for.
    """

    def __init__(
        self, record: VariantRecord, folder: Path, costs: Mapping[str, ResourceReport]
    ) -> None:
        self.name = record.name
        self.record = record
        self.folder = folder
        self.costs = dict(costs)

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """Return the metrics on dev: of the unprocessed input, the float network, int8 graphs."""
        return self.record.qualities

    @property
    def tflite(self) -> Path:
        """Return the int8 graph that the device runs.

        Raises UsageError before the export, TinypruneError for a file that has changed since.
        """
        if self.record.tflite is None:
            raise UsageError(f"variant '{self.name}' is not exported: run `tinyprune export`")
        Variant(self.name, self.folder).verify("export")
        return self.folder / self.record.tflite.path.name

    def model(self, custom: tuple[str, ...] = ()) -> "keras.Model":
        """Return the plain Keras network. ``custom``: modules with layers of your own.

        Raises UsageError for a variant that has none: pruned offline, or not finished;
        TinypruneError for a file that has changed since it was trained.
        """
        from tinyprune.models.loading.own import load

        path = self.folder / "model.keras"
        if not path.exists():
            raise UsageError(f"variant '{self.name}' has no Keras model in {self.folder}")
        Variant(self.name, self.folder).is_done("train")  # raises for a changed file
        return load(str(path), custom)

    def __repr__(self) -> str:
        return f"<variant {self.name}: {self.record.state or 'not finished'}>"


class FinishedRun:
    """A run folder, read and not changed; its ``repr`` is the report of the run.

    Attributes:
        folder: of the run.
        report: everything that is known of it, as one record.
        variants: name -> variant, the baseline first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report: RunReport = collect_report(Workspace(folder))

    @cached_property
    def variants(self) -> dict[str, FinishedVariant]:
        """Return the variants by name, baseline first."""
        folders = self.folder / "variants"
        return {
            record.name: FinishedVariant(record, folders / record.name, self._costs(record.name))
            for record in self.report.variants
        }

    @property
    def summaries(self) -> tuple[RunSummary, ...]:
        """Return the resource summaries, one per target, the newest first."""
        return self.report.summaries

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat dict per variant and target, as ``pandas.DataFrame`` takes it.

        The unit of every number is in its key, what does not exist is None; see
        :func:`tinyprune.report.model.summary.summary_rows`.
        """
        rows = []
        for summary in self.summaries:
            rows.extend(summary_rows(summary))
        return rows

    def __getitem__(self, name: str) -> FinishedVariant:
        check_name("variant", name, self.variants)
        return self.variants[name]

    def __iter__(self) -> Iterator[FinishedVariant]:
        return iter(self.variants.values())

    def __repr__(self) -> str:
        return to_text(format_report(self.report))

    def _costs(self, name: str) -> dict[str, ResourceReport]:
        costs = {}
        for summary in self.summaries:
            for variant in summary.variants:
                if variant.name == name:
                    costs[summary.target.name] = variant.report
        return costs


def open_run(folder: str | Path) -> FinishedRun:
    """Read a run folder, finished or not. Raises UsageError where there is none."""
    return FinishedRun(Path(folder))
