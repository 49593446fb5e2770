"""Settings of mixtures whose recordings do not vary."""

from dataclasses import fields
from typing import Any

from tinyprune.config import SyntheticSpeechData
from tinyprune.config.data import MixedData


def as_recorded() -> dict[str, Any]:
    """Return what every data set but own speech and noise has by default."""
    plain = SyntheticSpeechData()
    return {field.name: getattr(plain, field.name) for field in fields(MixedData)}
