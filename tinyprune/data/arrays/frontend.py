"""The front end of arrays: normalisation of features, and of numbers that are predicted."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array


@dataclass(frozen=True)
class ArrayFrontEnd:
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

    def targets(self, numbers: np.ndarray) -> Float32Array:
        """Return numbers (n, ..., k) of the data as the network is to give them."""
        return ((numbers - self.output_mean) / self.output_std).astype(np.float32)

    def numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs (n, ..., k) of the network in the unit of the data, float64."""
        return outputs * np.asarray(self.output_std) + np.asarray(self.output_mean)
