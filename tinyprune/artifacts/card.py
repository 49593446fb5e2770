"""What a model card says of one network: its purpose, quality, costs, training and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import ResourceReport


@dataclass(frozen=True)
class CardFacts:
    """The records of a network that is to be published.

    Attributes:
        name: of the network.
        task: what it is for (registry.TASKS).
        data: name of the data set that it was trained on.
        tflite: the graph that the device runs.
        qualities: of that graph and of what it is held against: float, unprocessed input.
        costs: name of a target -> what the network takes of it, by Vela.
        settings: table of its configuration -> setting -> value, of those that were given.
        hop_seconds: time between two inferences; None where it does not stream.
        classes: names of what it tells apart.
        limits: sentences on what it cannot do.
        versions: program -> version that made it.
        command: that uses it.
    """

    name: str
    task: str
    data: str
    tflite: TFLiteArtifact
    qualities: tuple[Quality, ...]
    costs: Mapping[str, ResourceReport] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hop_seconds: float | None = None
    classes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
