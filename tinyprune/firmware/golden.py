"""Golden vectors: inputs, and what the simulated stream and the front end make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.firmware.c_text import CRows
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.compiled import CompiledTensor

SAMPLE_TOLERANCE = "1.0"
_SEED = 20
_SYLLABLE_SECONDS = 0.2


@dataclass(frozen=True)
class ArenaPart:
    """A part of the arena. Attributes: offset, bytes; element_bytes, is_signed: of its integers."""

    offset: int
    bytes: int
    element_bytes: int
    is_signed: bool


@dataclass(frozen=True, eq=False)
class Golden:
    """Golden vectors.

    Attributes:
        given, made: what goes into the function of the firmware and comes out, a row per call.
        resets: a byte per call, 1 where the state is reset before it.
        tolerance: of what comes out, in C. is_integer: whether samples come out.
        npu_inputs, npu_outputs: the ends of the network in the arena.
        npu_input_rows, npu_output_rows: their bytes, a row per call.
    """

    given: tuple[CRows, ...]
    made: tuple[CRows, ...]
    resets: bytes
    tolerance: str
    is_integer: bool
    npu_inputs: tuple[ArenaPart, ...]
    npu_outputs: tuple[ArenaPart, ...]
    npu_input_rows: np.ndarray
    npu_output_rows: np.ndarray

    @property
    def calls(self) -> int:
        """Number of calls."""
        return len(self.resets)

    @property
    def npu_input_bytes(self) -> int:
        """Bytes that go into the network per call."""
        return int(self.npu_input_rows.shape[1])

    @property
    def npu_output_bytes(self) -> int:
        """Bytes that come out of the network per call."""
        return int(self.npu_output_rows.shape[1])


class Recorder:
    """The simulated stream as an engine that remembers what goes in and comes out.

    Attributes: name: of the engine; network: what runs.
    """

    def __init__(
        self,
        network: CompiledNetwork,
        inputs: Sequence[CompiledTensor],
        outputs: Sequence[CompiledTensor],
    ) -> None:
        """``inputs``, ``outputs``: of the network, with the addresses that they have in C."""
        self.name = network.name
        self.network = network
        self._inputs = inputs
        self._outputs = outputs
        self._given: list[bytes] = []
        self._made: list[bytes] = []

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of the stream."""
        outputs = self.network.invoke(inputs)
        self._given.append(_joined(inputs))
        self._made.append(_joined(outputs))
        return outputs

    def reset(self) -> None:
        """Forget all state of the network, and nothing that was recorded."""
        self.network.reset()

    def golden(
        self,
        given: Sequence[CRows],
        made: Sequence[CRows],
        resets: Sequence[bool],
        tolerance: str,
    ) -> Golden:
        """Return the vectors of all calls so far."""
        return Golden(
            given=tuple(given),
            made=tuple(made),
            resets=bytes(resets),
            tolerance=tolerance,
            is_integer=tolerance == SAMPLE_TOLERANCE,
            npu_inputs=_parts(self._inputs),
            npu_outputs=_parts(self._outputs),
            npu_input_rows=_rows(self._given),
            npu_output_rows=_rows(self._made),
        )


def made_up_speech(samples: int, sample_rate: int) -> np.ndarray:
    """Return int16 samples that are loud and quiet by turns: tones of a voice, noise, an offset."""
    rng = np.random.default_rng(_SEED)
    seconds = np.arange(samples) / sample_rate
    pitch_hz = 120 + 40 * np.sin(2 * np.pi * 0.7 * seconds)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / sample_rate
    voice = np.zeros(samples)
    for harmonic in range(1, 20):
        voice += np.sin(harmonic * phase) / harmonic
    syllables = np.maximum(np.sin(np.pi * seconds / _SYLLABLE_SECONDS), 0)
    swelling = np.minimum(1, 0.05 + seconds / 2)
    noise = 0.01 * rng.standard_normal(samples)
    mixture = 0.02 + 0.15 * swelling * syllables * voice + noise
    return np.clip(np.rint(32768 * mixture), -32768, 32767).astype(np.int16)


def to_int16(samples: Float32Array) -> np.ndarray:
    """Return samples, full scale 1, as the nearest int16."""
    steps = np.rint(samples.astype(np.float64) * 32768)
    return np.clip(steps, -32768, 32767).astype(np.int16)


def _joined(values: Sequence[np.ndarray]) -> bytes:
    return b"".join(np.ascontiguousarray(value).tobytes() for value in values)


def _rows(calls: Sequence[bytes]) -> np.ndarray:
    return np.stack([np.frombuffer(call, np.uint8) for call in calls])


def _parts(tensors: Sequence[CompiledTensor]) -> tuple[ArenaPart, ...]:
    parts = []
    for tensor in tensors:
        parts.append(
            ArenaPart(
                offset=tensor.address,
                bytes=int(np.prod(tensor.shape)) * tensor.dtype.itemsize,
                element_bytes=tensor.dtype.itemsize,
                is_signed=np.issubdtype(tensor.dtype, np.signedinteger),
            )
        )
    return tuple(parts)
