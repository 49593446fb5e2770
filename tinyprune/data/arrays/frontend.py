"""The front end of arrays: normalisation of features, and of numbers that are predicted."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.named_arrays import Shapes, joined


class _Numbers:
    """The normalisation of numbers that are predicted."""

    output_mean: tuple[float, ...]
    output_std: tuple[float, ...]

    def targets(self, numbers: np.ndarray) -> Float32Array:
        """Return numbers (n, ..., k) of the data as the network is to give them."""
        return ((numbers - self.output_mean) / self.output_std).astype(np.float32)

    def numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs (n, ..., k) of the network in the unit of the data, float64."""
        return outputs * np.asarray(self.output_std) + np.asarray(self.output_mean)


@dataclass(frozen=True)
class ArrayFrontEnd(_Numbers):
    """Normalisation per feature, ``(x - mean) / std``.

    Attributes:
        shape: of one example; features are its last axis.
        normalise: origin of mean and std, "standard" or "none".
        mean, std: per feature.
        output_mean, output_std: of numbers that are predicted, per number: an output y of the
            network stands for ``y * output_std + output_mean``. Empty where none are.
    """

    shape: tuple[int, ...]
    normalise: str = "standard"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    output_mean: tuple[float, ...] = ()
    output_std: tuple[float, ...] = ()

    def features(self, raw: np.ndarray) -> Float32Array:
        """Return features float32 (n, *shape) of raw examples (n, *shape)."""
        normalised = (raw - np.asarray(self.mean)) / np.asarray(self.std)
        return normalised.astype(np.float32)


@dataclass(frozen=True)
class OutputRecord:
    """The meaning of one of several outputs.

    Attributes:
        name: of the output.
        classes: names of its classes or labels; empty where it gives numbers.
        output_mean, output_std: as those of :class:`ArrayFrontEnd`.
    """

    name: str
    classes: tuple[str, ...] = ()
    output_mean: tuple[float, ...] = ()
    output_std: tuple[float, ...] = ()


@dataclass(frozen=True)
class NamedFrontEnd(_Numbers):
    """Normalisation of several inputs, each by itself, or of several outputs.

    Attributes:
        names: of the inputs; one empty name where there is one input.
        inputs: the front end of each.
        output_mean, output_std: of one output, as those of :class:`ArrayFrontEnd`.
        outputs: several outputs, each; empty where there is one.
    """

    names: tuple[str, ...]
    inputs: tuple[ArrayFrontEnd, ...]
    output_mean: tuple[float, ...] = ()
    output_std: tuple[float, ...] = ()
    outputs: tuple[OutputRecord, ...] = ()

    @property
    def shape(self) -> tuple[int, ...] | Shapes:
        """Shape of one example of each input, by name; of one input, its shape."""
        shapes: Shapes = {}
        for name, frontend in zip(self.names, self.inputs, strict=True):
            shapes[name] = frontend.shape
        return self.inputs[0].shape if self._is_one else shapes

    @property
    def normalise(self) -> str:
        """The normalisation of each input: ``picture=none,angle=standard``."""
        chosen = [frontend.normalise for frontend in self.inputs]
        if self._is_one:
            return chosen[0]
        return ",".join(f"{name}={one}" for name, one in zip(self.names, chosen, strict=True))

    def features(self, raw: np.ndarray) -> np.ndarray:
        """Return features, float32, of raw examples (n, ...), or of those of every input."""
        if self._is_one:
            return self.inputs[0].features(raw)
        features = {}
        for name, frontend in zip(self.names, self.inputs, strict=True):
            features[name] = frontend.features(raw[name])
        return joined(features)

    @property
    def _is_one(self) -> bool:
        return self.names == ("",)
