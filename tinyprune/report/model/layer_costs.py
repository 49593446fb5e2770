"""Bytes of one network: the parts of flash, the rest of the file, layers where SRAM peaks."""

from tinyprune.artifacts.resources import ResourceReport


def flash_parts(report: ResourceReport) -> list[tuple[str, float, str]]:
    """Return the parts of flash that are not empty: (name, bytes, what shrinks it)."""
    parts = [
        ("encoded weights", report.encoded_weight_bytes, "weight sparsity, clusters, fewer units"),
        (
            "biases and scales",
            report.scale_bytes,
            "10 bytes per output channel and matrix: only fewer units",
        ),
        ("lookup tables and constants", report.table_bytes, "other activations"),
        ("weights of CPU operators", report.cpu_weight_bytes, "operators that the NPU can run"),
    ]
    return [part for part in parts if part[1]]


def beside_flash(report: ResourceReport) -> list[tuple[str, float]]:
    """Return what the compiled file holds beside flash_bytes: (name, bytes)."""
    rest = report.file_bytes - report.flash_bytes - report.command_stream_bytes
    parts = [("command stream", report.command_stream_bytes), ("rest of the file", rest)]
    return [part for part in parts if part[1] > 0]


def peak_layers(report: ResourceReport) -> tuple[str, ...]:
    """Return the layers that use the most SRAM at a time; empty where no operator uses any."""
    peak = max((layer.sram_bytes for layer in report.layers), default=0.0)
    if peak == 0:
        return ()
    return tuple(layer.name for layer in report.layers if layer.sram_bytes == peak)
