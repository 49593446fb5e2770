"""The front end of a network for firmware, by the record that lies beside it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tinyprune.audio.device import DeviceFrontEnd, DeviceGraph
from tinyprune.audio.device_check import mismatch, mismatch_of_device, mismatch_of_mfcc
from tinyprune.audio.device_mfcc import DeviceMfcc
from tinyprune.data.anomaly.device import DeviceLogMel, mismatch_of_log_mel
from tinyprune.data.arrays.frontend import ArrayFrontEnd, NamedFrontEnd
from tinyprune.data.images.dataset import ImageFrontEnd
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.firmware.anomaly import AnomalyFirmware
from tinyprune.firmware.anomaly_fixed import FixedAnomalyFirmware
from tinyprune.firmware.device_model import DeviceModel, c_identifier
from tinyprune.firmware.fixed_point import SoundRecord
from tinyprune.firmware.golden import Golden, Recorder
from tinyprune.firmware.keywords import KeywordFirmware
from tinyprune.firmware.keywords_fixed import FixedKeywordFirmware
from tinyprune.firmware.numbers import Normalisation, NumberFirmware
from tinyprune.firmware.speech import SpeechFirmware
from tinyprune.firmware.speech_fixed import FixedSpeechFirmware
from tinyprune.firmware.tables import Tables
from tinyprune.storage.reading import LARGEST_TEXT, check_file, parse_json
from tinyprune.storage.records import from_jsonable

#: A field that only records of a kind have, or of which one is enough to know it -> the kind.
_KINDS: dict[str, type] = {
    "spread_weights": DeviceFrontEnd,
    "dct": DeviceMfcc,
    "smallest_power": DeviceLogMel,
    "names": NamedFrontEnd,
    "output_mean": ArrayFrontEnd,
    "normalise": ImageFrontEnd,
}


class FirmwareFrontEnd(Protocol):
    """A front end in C.

    Attributes:
        template: name of its C sources.
        unit: what a call takes, e.g. "hop".
        is_fixed: whether it computes in fixed point.
    """

    template: str
    unit: str
    is_fixed: bool

    def context(self) -> dict[str, Any]:
        """Return what the templates need besides tables and model."""

    def tables(self) -> Tables:
        """Return all numbers of the front end."""

    def golden(self, source: Path, recorder: Recorder) -> Golden:
        """Return examples through front end and simulated stream."""


def front_end_of(
    record: Any, model: DeviceModel, class_names: Sequence[str] = (), is_fixed: bool = False
) -> FirmwareFrontEnd:
    """Return the front end for a record; None: numbers, as the network takes them.

    ``is_fixed``: whether it computes in fixed point. Raises UsageError for a record that does not
    go with the network, or that of something else than sound for fixed point.
    """
    if is_fixed and not isinstance(record, SoundRecord):
        raise UsageError(
            "--arithmetic fixed is for the front ends of speech, keywords and anomalies, this "
            "network has another or none: leave it out"
        )
    if isinstance(record, DeviceGraph):
        _check_scales(record, model)
    if isinstance(record, DeviceFrontEnd):
        speech = FixedSpeechFirmware if is_fixed else SpeechFirmware
        return speech(record, model)
    if isinstance(record, DeviceMfcc):
        keywords = FixedKeywordFirmware if is_fixed else KeywordFirmware
        return keywords(record, model, class_names)
    if isinstance(record, DeviceLogMel):
        anomaly = FixedAnomalyFirmware if is_fixed else AnomalyFirmware
        return anomaly(record, model)
    return NumberFirmware(model, _normalisations(record), class_names)


def read_front_end(path: Path) -> Any:
    """Return the record in a file.

    Raises UsageError for one that does not say how samples become features.
    """
    try:
        check_file(path, LARGEST_TEXT, "expected the record of a front end")
        content = parse_json(path.read_text(encoding="utf-8"))
    except (TinypruneError, OSError, ValueError) as error:
        raise UsageError(f"{path} is no front end: {error}") from error
    kind = _kind_of(content)
    if kind is None:
        raise UsageError(
            f"{path} does not describe a front end that can be made in C: expected the "
            "STEM.frontend.json that an export writes for speech, keywords and anomalies, or the "
            "frontend.json of arrays and images; or give --raw-features and compute features "
            "yourself"
        )
    try:
        record: Any = from_jsonable(content, kind)
        problem = _problem(record)
    except Exception as error:  # any malformed content means the same to the reader
        raise UsageError(f"{path} is no front end: {error}") from error
    if problem:
        raise UsageError(f"{path} is no front end of a network: {problem}")
    return record


def _kind_of(content: Any) -> type | None:
    if not isinstance(content, dict):
        return None
    for field, kind in _KINDS.items():
        if field in content:
            return kind
    return None


def _problem(record: Any) -> str:
    """Return what does not fit in a record; empty where all does."""
    if isinstance(record, DeviceFrontEnd):
        return mismatch(record) or mismatch_of_device(record)
    if isinstance(record, DeviceMfcc):
        return mismatch_of_mfcc(record)
    if isinstance(record, DeviceLogMel):
        return mismatch_of_log_mel(record)
    return ""


def _check_scales(record: DeviceGraph, model: DeviceModel) -> None:
    """Raise UsageError for a record of a network whose ends have other scales."""
    [given, *_], [made, *_] = model.inputs, model.outputs
    pairs = [
        (record.input_scale, given.scale),
        (record.output_scale, made.scale),
        (record.input_zero_point, given.zero_point),
        (record.output_zero_point, made.zero_point),
    ]
    if not all(math.isclose(one, other, rel_tol=1e-6) for one, other in pairs):
        raise UsageError(
            f"the record of {record.model} is the front end of another network: its scales are "
            "not those of this one; give --frontend FILE.json of this one"
        )


def _normalisations(record: Any) -> Mapping[str, Normalisation]:
    """Return the normalisation of every end that has one, by its name in C."""
    found: dict[str, Normalisation] = {}
    if record is None:
        return found
    if isinstance(record, NamedFrontEnd):
        found |= _of_several(record)
    else:
        found["input"] = Normalisation(record.mean, record.std)
    if getattr(record, "output_mean", ()):
        found["output"] = Normalisation(record.output_mean, record.output_std)
    return found


def _of_several(record: NamedFrontEnd) -> Mapping[str, Normalisation]:
    """Return the normalisation of several inputs and outputs, by the names that these have in C."""
    found: dict[str, Normalisation] = {}
    for name, one in zip(record.names, record.inputs, strict=True):
        key = f"input_{c_identifier(name)}" if name else "input"
        found[key] = Normalisation(one.mean, one.std)
    for output in record.outputs:
        if output.output_mean:
            key = f"output_{c_identifier(output.name)}"
            found[key] = Normalisation(output.output_mean, output.output_std)
    return found
