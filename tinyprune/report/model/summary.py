"""A run summary as flat rows of numbers: the cost of each variant, its ratio to the baseline."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.quantity import (
    CPU_OPERATORS,
    CYCLES_OF_PART,
    ENCODED_WEIGHTS,
    FLASH,
    LATENCY,
    MULTIPLY_ACCUMULATES,
    NUMBER_OF_PARAMETERS,
    PREDICTED,
    SPARSITY,
    SRAM,
    TFLITE,
    TOTAL_CYCLES,
    Quantity,
)
from tinyprune.artifacts.resources import CompiledArtifact, ResourceReport, ratio
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.predictions import predicted_values
from tinyprune.report.model.record import SCHEMA

_SIZES = (SPARSITY, NUMBER_OF_PARAMETERS, TFLITE, ENCODED_WEIGHTS, FLASH, SRAM)
_COUNTS = (TOTAL_CYCLES, *CYCLES_OF_PART.values(), MULTIPLY_ACCUMULATES)
#: Quantities with a column ``<name>_ratio``: baseline / variant, above 1 where it shrank.
COMPARED = (TFLITE, ENCODED_WEIGHTS, FLASH, SRAM, TOTAL_CYCLES)

Row = dict[str, Any]


def summary_rows(summary: RunSummary) -> list[Row]:
    """Return one flat row per variant, baseline first.

    Units are in the names, and a value that does not exist is None. Beside the numbers of the
    variant (artifacts/quantity.py) a row has ``<metric>`` with ``<metric>_change`` (variant -
    baseline) and ``noisy_<metric>`` (the unprocessed input), ``<quantity>_ratio`` (baseline /
    variant), ``float32_over_...`` (4 bytes per parameter of the baseline over a size of this
    variant), ``seconds_per_frame`` and ``hop_share``, the fraction of the time between two frames
    that the NPU is busy. ``predicted_...`` are what the cost model expected, with their errors
    (predicted / Vela - 1).
    """
    return [_row(summary, variant) for variant in summary.variants]


def summary_of_file(artifact: CompiledArtifact) -> RunSummary:
    """Return the summary of a file that belongs to no run.

    Nothing is known of its quality, and one call is one frame.
    """
    report = artifact.report
    weights = sum(layer.weights for layer in report.layers)
    zeros = sum(layer.zeros for layer in report.layers)
    tflite = TFLiteArtifact(
        path=artifact.source,
        sha256=artifact.source_sha256,
        file_bytes=_file_bytes(artifact.source),
        frames=1,
        input_scale=0.0,
        input_zero_point=0,
        output_scale=0.0,
        output_zero_point=0,
    )
    variant = VariantSummary(
        name=artifact.source.stem,
        parameters=weights,
        sparsity=zeros / max(1, weights),
        quality=Quality("int8", "", 0, 0, {}),
        tflite=tflite,
        report=report,
    )
    return RunSummary(SCHEMA, report.target, None, None, (variant,))


def _file_bytes(path: Path) -> int:
    """Return the size of a file; 0 where it is gone, as when its record comes from elsewhere."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def all_variants(summaries: Iterable[RunSummary]) -> Iterator[VariantSummary]:
    """Yield the variants of every target, one target after the other."""
    for summary in summaries:
        yield from summary.variants


def metric_names(*summaries: RunSummary) -> list[str]:
    """Return the names of the metrics of any variant, in the order of the baseline's."""
    names: dict[str, None] = {}
    for variant in all_variants(summaries):
        names |= dict.fromkeys(variant.quality.metrics)
    return list(names)


def variant_names(summaries: Iterable[RunSummary]) -> list[str]:
    """Return the names of the variants of any target, in the order of the first one's."""
    return list(dict.fromkeys(variant.name for variant in all_variants(summaries)))


def _row(summary: RunSummary, variant: VariantSummary) -> Row:
    baseline = summary.variants[0]
    return {
        "variant": variant.name,
        **_target(variant.report),
        **_quality(summary, variant.quality),
        **_numbers(_SIZES, variant),
        **_float32_ratios(variant.report, baseline.parameters),
        **_numbers(_COUNTS, variant),
        "bound_by": variant.report.bound_by,
        CPU_OPERATORS.name: CPU_OPERATORS.of(variant),
        "cpu_operators": " ".join(variant.report.cpu_operators),
        **_time(variant, summary.hop_seconds),
        **_ratios(baseline, variant),
        **_predicted(variant.report),
    }


def _target(report: ResourceReport) -> Row:
    target = report.target
    return {
        "npu": target.npu,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "vela_version": report.vela_version,
    }


def _quality(summary: RunSummary, quality: Quality) -> Row:
    baseline = summary.variants[0].quality
    noisy = summary.noisy
    row: Row = {"split": quality.split, "form": quality.form, "utterances": quality.utterances}
    for name in metric_names(summary):
        value = quality.metrics.get(name)
        before = baseline.metrics.get(name)
        row[name] = value
        row[f"{name}_change"] = None if value is None or before is None else value - before
        row[f"noisy_{name}"] = noisy.metrics.get(name) if noisy else None
    return row


def _numbers(quantities: Sequence[Quantity], variant: VariantSummary) -> Row:
    return {quantity.name: quantity.of(variant) for quantity in quantities}


def _ratios(baseline: VariantSummary, variant: VariantSummary) -> Row:
    row: Row = {}
    for quantity in COMPARED:
        row[f"{quantity.name}_ratio"] = ratio(quantity.of(baseline), quantity.of(variant))
    return row


def _float32_ratios(report: ResourceReport, parameters: int) -> Row:
    """The baseline's parameters in float32 over sizes of the variant."""
    float32_bytes = 4 * parameters
    return {
        "float32_over_encoded_weights": ratio(float32_bytes, report.encoded_weight_bytes),
        "float32_over_flash": ratio(float32_bytes, report.flash_bytes),
    }


def _time(variant: VariantSummary, hop_seconds: float | None) -> Row:
    seconds = variant.seconds_per_frame
    return {
        LATENCY.name: seconds,
        "hop_seconds": hop_seconds,
        "hop_share": ratio(seconds, hop_seconds) if hop_seconds else None,
    }


def _predicted(report: ResourceReport) -> Row:
    row: Row = {}
    for quantity in PREDICTED:
        row[f"predicted_{quantity.name}"] = None
        row[f"predicted_{quantity.name}_error"] = None
    for value in predicted_values(report):
        name = value.quantity.name
        row[f"predicted_{name}"] = value.predicted
        row[f"predicted_{name}_error"] = value.error
    return row
