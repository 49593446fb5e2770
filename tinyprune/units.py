"""Units at the border of the program: parsing what people write, printing what they read.

Inside the program every number carries its unit in its name (``flash_bytes``, ``inference_seconds``).
KiB is 1024 bytes, kB is 1000 bytes; they are never mixed.
"""

import re

from tinyprune.errors import UsageError

_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2}


def parse_bytes(text: str) -> int:
    """Bytes of a size with its unit, e.g. ``"100KiB"`` -> 102400. Raises UsageError on anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    if not match or match[2] not in _BYTES:
        raise UsageError(f"'{text}' is not a size: expected a number with one of {', '.join(_BYTES)}, e.g. 100KiB")
    return round(float(match[1]) * _BYTES[match[2]])


def format_bytes(count: float) -> str:
    """A size for a table: bytes below 10 kB, else kB or MB (1000-based) with three digits, e.g. ``"124 kB"``."""
    if count < 10_000:
        return f"{count:.0f} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.2f} MB"


def format_count(count: float) -> str:
    """A count for a table, e.g. ``"163 k"`` or ``"1.33 M"``."""
    if count < 10_000:
        return f"{count:.0f}"
    return f"{count / 1000:.0f} k" if count < 1_000_000 else f"{count / 1_000_000:.2f} M"


def format_seconds(seconds: float) -> str:
    """A duration for a person, e.g. ``"0.3 ms"``, ``"12.0 s"``, ``"3 min 20 s"``."""
    if seconds < 1:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def metric_label(name: str) -> str:
    """How a table calls a metric: ``si_sdr_db`` -> ``SI-SDR dB``, ``auc`` -> ``AUC``, ``accuracy`` as it is."""
    stem = name.removesuffix("_db")
    label = stem.replace("_", "-").upper() if stem != name or len(stem) <= 4 else stem
    return label + (" dB" if stem != name else "")


def metric_digits(name: str) -> int:
    """Decimals that a metric is printed with: two of a dB, three of a fraction."""
    return 2 if name.endswith("_db") else 3


def format_metric(name: str, value: float) -> str:
    """A metric in a sentence: ``SI-SDR 8.35 dB``, ``accuracy 0.934``."""
    label, _, unit = metric_label(name).partition(" ")
    return f"{label} {value:.{metric_digits(name)}f}" + (f" {unit}" if unit else "")
