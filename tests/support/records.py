"""Records between stages as a run leaves them, made by hand: every test names only what it is about."""

from pathlib import Path
from typing import Any

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.report.model.record import SCHEMA

SYSTEM = "Ethos_U55_High_End_Embedded"
U55 = NpuTarget("ethos-u55-128", SYSTEM, "Shared_Sram")
U55_SRAM_ONLY = NpuTarget("ethos-u55-128", SYSTEM, "Sram_Only")
U55_SMALL = NpuTarget("ethos-u55-32", "Ethos_U55_Deep_Embedded", "Shared_Sram")
U85 = NpuTarget("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid", "Sram_Only")
CLOCK_HZ = 500e6


def resource_report(target: NpuTarget = U55, **changes: Any) -> ResourceReport:
    """Return the costs of a network of 10,000 cycles and 100 kB of flash.

    Unless they are given, ``cycles_npu`` are ``cycles``, and the time follows from ``cycles`` and
    the clock.
    """
    cycles = changes.get("cycles", 10_000.0)
    flash_bytes = changes.get("flash_bytes", 100_000.0)
    fields: dict[str, Any] = {
        "vela_version": "5.2.0",
        "sram_bytes": 12_000.0,
        "flash_bytes": flash_bytes,
        "encoded_weight_bytes": flash_bytes - 40_000,
        "cycles": cycles,
        "cycles_npu": cycles,
        "cycles_sram": 0.0,
        "cycles_dram": 0.0,
        "cycles_on_chip_flash": 0.0,
        "cycles_off_chip_flash": 0.0,
        "macs": 968_192,
        "clock_hz": CLOCK_HZ,
        "inference_seconds": cycles / CLOCK_HZ,
        "cpu_operators": (),
        "layers": (),
        "bound_by": "NPU",
    }
    return ResourceReport(target, **{**fields, **changes})


def quality(form: str = "streaming", utterances: int = 48, **metrics: float) -> Quality:
    """Return the metrics of a network on dev, all of them defined."""
    return Quality(form, "dev", utterances, 0, metrics)


def tflite_artifact(path: str = "a.tflite", **changes: Any) -> TFLiteArtifact:
    """Return an exported network of 1 MB, one frame per call."""
    fields: dict[str, Any] = {
        "path": Path(path),
        "sha256": "0" * 64,
        "file_bytes": 1_000_000,
        "frames": 1,
        "input_scale": 0.1,
        "input_zero_point": 0,
        "output_scale": 0.1,
        "output_zero_point": 0,
    }
    return TFLiteArtifact(**{**fields, **changes})


def variant_summary(
    name: str = "baseline", report: ResourceReport | None = None, **changes: Any
) -> VariantSummary:
    """Return a compiled variant of the size of TinyLSTM."""
    fields: dict[str, Any] = {
        "parameters": 968_960,
        "sparsity": 0.0,
        "quality": quality(),
        "tflite": tflite_artifact(),
        "report": report or resource_report(),
    }
    return VariantSummary(name, **{**fields, **changes})


def run_summary(
    *variants: VariantSummary,
    target: NpuTarget = U55,
    hop_seconds: float | None = None,
    noisy: Quality | None = None,
    schema: int = SCHEMA,
) -> RunSummary:
    """Return all variants of a run on one target; without a hop, it does not stream."""
    return RunSummary(schema, target, hop_seconds, noisy, variants)
