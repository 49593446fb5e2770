"""Examples with several things to say of each: classes, labels and numbers side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.examples import ExampleDataset
from tinyprune.errors import UsageError
from tinyprune.named_arrays import joined


@dataclass(frozen=True, eq=False)
class SeveralDataset(ExampleDataset):
    """Splits of examples with labels by the name of the output that is to say them.

    Attributes:
        outputs: the data set of each output alone, whose inputs are numbers of examples.
    """

    task: ClassVar[str] = "several"

    outputs: Mapping[str, ExampleDataset] = field(default_factory=dict)

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> np.ndarray:
        """Return what each output should give."""
        targets = {}
        for name, output in self.outputs.items():
            targets[name] = output.targets(inputs, labels[name])
        return joined(targets)


def check_ends(key: str, given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise UsageError, which names the key, for a name that is no input, or no output."""
    for name in given:
        if name not in known:
            raise UsageError(f"{key}: '{name}' is none of the {what}: {', '.join(known)}")
