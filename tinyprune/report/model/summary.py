"""A run summary as flat rows of numbers: what each variant costs, and how that compares to the baseline."""

from typing import Any

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import CompiledArtifact, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.predictions import QUANTITIES, pairs
from tinyprune.report.model.record import SCHEMA

#: Fields of a row that are sizes or cycles; each has a ``<name>_ratio``: baseline / variant, above
#: 1 where it shrank.
COSTS = ("tflite_bytes", "encoded_weight_bytes", "flash_bytes", "sram_bytes", "cycles")


def summary_rows(summary: RunSummary) -> list[dict[str, Any]]:
    """One flat row per variant, baseline first; units are in the names, what does not exist is None.

    Beside the numbers of the variant a row has ``<metric>`` with ``<metric>_change`` (variant -
    baseline) and ``noisy_<metric>`` (the unprocessed input), ``<cost>_ratio`` (baseline / variant),
    ``float32_over_...`` (4 bytes per parameter of the baseline over a size of this variant),
    ``seconds_per_frame`` and ``hop_share``, the fraction of the time between two frames that the
    NPU is busy; ``predicted_...`` are what the cost model expected, with their errors (predicted /
    Vela - 1).
    """
    baseline = summary.variants[0]
    names = metric_names(summary)
    rows = []
    for variant in summary.variants:
        row = {"variant": variant.name, **_target(variant.report)}
        row |= _quality(names, variant.quality, baseline.quality, summary.noisy)
        row |= _sizes(variant, baseline) | _cycles(variant) | _time(variant, summary.hop_seconds)
        base = _sizes(baseline, baseline) | _cycles(baseline)
        row |= {f"{cost}_ratio": ratio(base[cost], row[cost]) for cost in COSTS} | _predicted(
            variant.report
        )
        rows.append(row)
    return rows


def of_file(artifact: CompiledArtifact) -> RunSummary:
    """The summary of a file that belongs to no run: nothing is known of its quality, and one call is one frame."""
    report = artifact.report
    weights = sum(layer.weights for layer in report.layers)
    zeros = sum(kernel.zeros for layer in report.layers for kernel in layer.kernels)
    size = artifact.source.stat().st_size
    tflite = TFLiteArtifact(artifact.source, artifact.source_sha256, size, 1, 0.0, 0, 0.0, 0)
    quality = Quality("int8", "", 0, 0, {})
    variant = VariantSummary(
        artifact.source.stem, weights, zeros / max(1, weights), quality, tflite, report
    )
    return RunSummary(SCHEMA, report.target, None, None, (variant,))


def metric_names(summary: RunSummary) -> list[str]:
    """Names of the metrics of any variant, in the order of the baseline's."""
    return list(
        dict.fromkeys(name for variant in summary.variants for name in variant.quality.metrics)
    )


def ratio(before: float, after: float) -> float | None:
    """before / after; None where there is nothing to divide by."""
    return before / after if after else None


def seconds_per_frame(variant: VariantSummary) -> float:
    """Time of one inference over the frames that it works off."""
    return variant.report.inference_seconds / variant.tflite.frames


def _target(report: ResourceReport) -> dict[str, Any]:
    target = report.target
    return {
        "npu": target.npu,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        "vela_version": report.vela_version,
    }


def _quality(
    names: list[str], variant: Quality, baseline: Quality, noisy: Quality | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "split": variant.split,
        "form": variant.form,
        "utterances": variant.utterances,
    }
    for name in names:
        value, base = variant.metrics.get(name), baseline.metrics.get(name)
        row[name] = value
        row[f"{name}_change"] = None if value is None or base is None else value - base
        row[f"noisy_{name}"] = noisy.metrics.get(name) if noisy else None
    return row


def _sizes(variant: VariantSummary, baseline: VariantSummary) -> dict[str, Any]:
    report, float32_bytes = variant.report, 4 * baseline.parameters
    return {
        "sparsity": variant.sparsity,
        "parameters": variant.parameters,
        "tflite_bytes": variant.tflite.file_bytes,
        "encoded_weight_bytes": report.encoded_weight_bytes,
        "flash_bytes": report.flash_bytes,
        "sram_bytes": report.sram_bytes,
        "float32_over_encoded_weights": ratio(float32_bytes, report.encoded_weight_bytes),
        "float32_over_flash": ratio(float32_bytes, report.flash_bytes),
    }


def _cycles(variant: VariantSummary) -> dict[str, Any]:
    report = variant.report
    return {
        "cycles": report.cycles,
        "cycles_npu": report.cycles_npu,
        "cycles_sram": report.cycles_sram,
        "cycles_dram": report.cycles_dram,
        "cycles_on_chip_flash": report.cycles_on_chip_flash,
        "cycles_off_chip_flash": report.cycles_off_chip_flash,
        "macs": report.macs,
        "bound_by": report.bound_by,
        "cpu_operator_count": len(report.cpu_operators),
        "cpu_operators": " ".join(report.cpu_operators),
    }


def _predicted(report: ResourceReport) -> dict[str, Any]:
    found = {pair.name: pair for pair in pairs(report)}
    row: dict[str, Any] = {}
    for name, field in QUANTITIES.items():
        pair = found.get(name)
        row[f"predicted_{field}"] = pair.predicted if pair else None
        row[f"predicted_{field}_error"] = pair.error if pair else None
    return row


def _time(variant: VariantSummary, hop_seconds: float | None) -> dict[str, Any]:
    seconds = seconds_per_frame(variant)
    return {
        "seconds_per_frame": seconds,
        "hop_seconds": hop_seconds,
        "hop_share": ratio(seconds, hop_seconds) if hop_seconds else None,
    }
