"""The export of a run's variants as int8 TFLite."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.errors import CheckFailed, without_name
from tinyprune.stages.run import Run, is_offline, open_run
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, Variant

log = logging.getLogger(__name__)

#: (variant, quality of one of its forms) pairs.
Qualities = list[tuple[str, Quality]]


def export_variant(run: Path | Run, variant: str | None = None) -> Qualities:
    """Export a variant, by default the baseline, as int8 TFLite.

    Returns its quality on dev, form by form, as (variant, quality) pairs. Raises UsageError where
    there is no such variant, CheckFailed where the int8 graph is too far from the trained network.
    """
    with open_run(run) as opened:
        exported = opened.require(variant or BASELINE)
        return named(exported, ensure_exported(opened, exported))


def ensure_exported(run: Run, variant: Variant) -> list[Quality]:
    """Make the int8 graphs of a variant of an opened run, if they are not there.

    Returns its quality on dev, form by form. Graphs of the offline control are there always.
    """
    if not is_offline(variant):
        inputs = {"model": variant.output_sha256("train", "model.keras")}
        if not variant.is_done("export", inputs):
            from tinyprune.stages.int8_graphs import export_graphs

            network = run.load_network(variant)
            with variant.noting_refusal():
                files = export_graphs(network, run.task, variant.folder)
            variant.finish("export", inputs, files)
    return read_json(variant.folder / "quality.json", list[Quality])


def exportable(run: Run, variants: Sequence[Variant]) -> list[Variant]:
    """Return the variants that have int8 graphs, which are made if they are not there.

    A pruning whose graph is refused is left out, and it is said why. Raises CheckFailed for the
    baseline.
    """
    exported = []
    for variant in variants:
        try:
            ensure_exported(run, variant)
        except CheckFailed as refusal:
            if variant.name == BASELINE:
                raise
            log.warning(
                "%s is left out: %s", variant.name, without_name(variant.name, str(refusal))
            )
            continue
        exported.append(variant)
    return exported


def device_graph(run: Run, variant: Variant) -> TFLiteArtifact:
    """Return the record of the graph of a variant that the device runs, exported if it is not."""
    ensure_exported(run, variant)
    return read_json(variant.folder / f"{run.record.forms[0]}.json", TFLiteArtifact)


def device_quality(run: Run, variant: Variant) -> Quality:
    """Return the quality on dev of the graph of a variant that the device runs."""
    qualities = {quality.form: quality for quality in ensure_exported(run, variant)}
    return qualities[run.record.forms[0]]


def named(variant: Variant, qualities: Sequence[Quality]) -> Qualities:
    """Return qualities with the name of their variant."""
    return [(variant.name, quality) for quality in qualities]
