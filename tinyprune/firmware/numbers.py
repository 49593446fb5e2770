"""A network on numbers in C: every input and output with its normalisation, scale and zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CArray, CConstant, CRows, c_double
from tinyprune.firmware.device_model import DeviceEnd, DeviceModel
from tinyprune.firmware.golden import Golden, Recorder
from tinyprune.firmware.tables import Tables, quantization
from tinyprune.named_arrays import joined, split
from tinyprune.tflite.interpreter import Int8Model

_CALLS = 6
_CALLS_BEFORE_RESET = 3
_SEED = 21
_RELATIVE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation of the numbers of an end.

    Attributes: mean, std: per feature, which is the last axis, or one for all.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def is_empty(self) -> bool:
        """True where numbers stay what they are."""
        return set(self.mean) <= {0.0} and set(self.std) <= {1.0}


class NumberFirmware:
    """The ends of a network on numbers.

    Attributes:
        template: name of its C sources.
        unit: what a call takes.
        is_fixed: whether it computes in fixed point.

    Raises UsageError for a normalisation that does not go with the network.
    """

    template = "numbers"
    unit = "example"
    is_fixed = False

    def __init__(
        self,
        model: DeviceModel,
        normalisations: Mapping[str, Normalisation],
        class_names: Sequence[str] = (),
    ) -> None:
        """``normalisations``: by the name of the end in C."""
        self._model = model
        self._normalisations = {}
        for end in (*model.inputs, *model.outputs):
            chosen = normalisations.get(end.name)
            if chosen is not None and not chosen.is_empty:
                _check(end, chosen)
                self._normalisations[end.name] = chosen
        self._class_names = tuple(class_names)
        if len(model.outputs) > 1 or model.outputs[0].elements != len(class_names):
            self._class_names = ()

    def context(self) -> dict[str, Any]:
        """Return what the templates need besides tables and model."""
        names = ", ".join(self._normalisations)
        words = f"; numbers of {names} are in the unit of the data" if names else ""
        return {"class_names": self._class_names, "normalisation_in_words": words}

    def tables(self) -> Tables:
        """Return scales, zero points, means and deviations."""
        constants: list[CConstant] = []
        arrays: list[CArray] = []
        for end in (*self._model.inputs, *self._model.outputs):
            constants += quantization(end, end.name)
            chosen = self._normalisations.get(end.name)
            if chosen is not None:
                constants.append(CConstant(f"{end.name}_features", str(len(chosen.mean))))
                mean, std = np.asarray(chosen.mean, float), np.asarray(chosen.std, float)
                arrays.append(CArray(f"{end.name}_mean", mean, "of each feature"))
                arrays.append(CArray(f"{end.name}_std", std, "of each feature"))
        return Tables(tuple(constants), tuple(arrays), tuple(self._normalisations))

    def golden(self, source: Path, recorder: Recorder) -> Golden:
        """Return made-up examples through the simulated stream, with a reset between them."""
        runner = Int8Model(source, engine=recorder)
        rng = np.random.default_rng(_SEED)
        given: dict[str, list[np.ndarray]] = {end.name: [] for end in self._model.inputs}
        made: dict[str, list[np.ndarray]] = {end.name: [] for end in self._model.outputs}
        resets = []
        for number in range(_CALLS):
            resets.append(number in (0, _CALLS_BEFORE_RESET))
            if resets[-1]:
                runner.reset()
            self._call(runner, rng, given, made)
        rows = {name: np.stack(values) for name, values in {**given, **made}.items()}
        largest = max(float(np.abs(rows[name]).max()) for name in made)
        return recorder.golden(
            [CRows(name, rows[name]) for name in given],
            [CRows(name, rows[name]) for name in made],
            resets,
            c_double(max(largest, 1.0) * _RELATIVE_TOLERANCE),
        )

    def _call(
        self,
        runner: Int8Model,
        rng: np.random.Generator,
        given: Mapping[str, list[np.ndarray]],
        made: Mapping[str, list[np.ndarray]],
    ) -> None:
        """Run the network once on numbers of the whole range, and keep them."""
        features = {}
        for end, own in zip(self._model.inputs, runner.inputs, strict=True):
            least, most = own.range
            normal = rng.uniform(least, most, end.shape)
            raw = self._in_unit(end, normal).astype(np.float32)
            given[end.name].append(raw.reshape(-1))
            features[own.name] = self._normalised(end, raw)[None]
        values = joined(features) if len(features) > 1 else next(iter(features.values()))
        outputs = runner.step(values)
        by_name = split(outputs)
        for end, own in zip(self._model.outputs, runner.outputs, strict=True):
            output = np.asarray(by_name.get(own.name, outputs)).reshape(end.shape)
            made[end.name].append(self._in_unit(end, output).astype(np.float32).reshape(-1))

    def _in_unit(self, end: DeviceEnd, numbers: np.ndarray) -> np.ndarray:
        chosen = self._normalisations.get(end.name)
        if chosen is None:
            return numbers
        return numbers * np.asarray(chosen.std) + np.asarray(chosen.mean)

    def _normalised(self, end: DeviceEnd, numbers: np.ndarray) -> np.ndarray:
        chosen = self._normalisations.get(end.name)
        if chosen is None:
            return numbers
        return ((numbers - np.asarray(chosen.mean)) / np.asarray(chosen.std)).astype(np.float32)


def _check(end: DeviceEnd, normalisation: Normalisation) -> None:
    counts = {len(normalisation.mean), len(normalisation.std)}
    features = end.shape[-1] if end.shape else 1
    if counts not in ({1}, {features}) or not all(normalisation.std):
        raise UsageError(
            f"the front end has {len(normalisation.mean)} means for {end.name}, "
            f"which has {features} features: give the one that the network was trained with"
        )
