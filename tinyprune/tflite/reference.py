"""The engine that comes nearest to what a device computes: TFLM, helped out by LiteRT."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune import extras
from tinyprune.errors import TinypruneError
from tinyprune.tflite.compiled import CpuStep, operators_alone
from tinyprune.tflite.engines import LITERT, TFLM, Engine, LiteRt, Tflm, has_tflm

MIXED = f"{TFLM} and {LITERT}"
#: Operators that LiteRT rounds otherwise than TFLM and the NPU, or computes otherwise.
_OTHERWISE = ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM")


@dataclass(frozen=True)
class Reference:
    """The engine that comes nearest to what a device computes.

    Attributes:
        engine: TFLM where it is installed and can run the network; TFLM and LiteRT where it lacks
            operators; else LiteRT.
        reason: for another one than TFLM; empty for TFLM.
    """

    engine: Engine
    reason: str = ""


class Mixed:
    """TFLM, with LiteRT for the operators that it lacks.

    LiteRT rounds dense layers otherwise than TFLM and the NPU, so it is given no operator more than
    it has to be.

    Attributes:
        name: of the engine.
        lacking: names of the operators that LiteRT runs.

    Raises TinypruneError for a network that both together cannot run, or of which TFLM lacks an
    operator that LiteRT rounds otherwise: recurrent cells of explicit operators have dense layers
    from 8 to 16 bits, which TFLM lacks, and products from 16 to 8 bits, which it computes wrongly.
    """

    name = MIXED

    def __init__(self, content: bytes) -> None:
        network = operators_alone(content, _is_of_tflm)
        self._inputs, self._outputs = network.inputs, network.outputs
        self._engines: list[tuple[CpuStep, Engine]] = []
        lacking: dict[str, None] = {}
        for step in network.steps:
            engine = _engine(step.content)
            self._engines.append((step, engine))
            if engine.name == LITERT:
                lacking |= dict.fromkeys(step.names)
        self.lacking = tuple(lacking)

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs."""
        values = dict(zip(self._inputs, inputs, strict=True))
        for step, engine in self._engines:
            made = engine.invoke([values[number] for number in step.inputs])
            values |= zip(step.outputs, made, strict=True)
        return [values[number] for number in self._outputs]

    def reset(self) -> None:
        """Forget all state."""
        for _, engine in self._engines:
            engine.reset()


def _engine(content: bytes) -> Engine:
    """Return TFLM, or LiteRT where it cannot run a network."""
    try:
        return Tflm(content)
    except TinypruneError:
        return LiteRt(content)


def _is_of_tflm(name: str, content: bytes) -> bool:
    """Return whether TFLM can run an operator, by its name and as a network of its own."""
    if _engine(content).name == TFLM:
        return True
    if name in _OTHERWISE:
        raise TinypruneError(f"{TFLM} cannot run {name} as it is here")
    return False


def reference_of(content: bytes) -> Reference:
    """Return the reference for a network. Raises TinypruneError where no engine can run it."""
    if not has_tflm():
        line = extras.install_line("device")
        return Reference(LiteRt(content), f"TFLM is not installed: {line}")
    try:
        return Reference(Tflm(content))
    except TinypruneError as error:
        return _without_tflm_alone(content, str(error))


def _without_tflm_alone(content: bytes, said: str) -> Reference:
    """Return the reference for a network of which TFLM lacks something."""
    whole = LiteRt(content)  # a network that neither can run is refused with its words
    try:
        mixed = Mixed(content)
    except (TinypruneError, KeyError):  # or parts that do not fit together
        return Reference(whole, said)
    return Reference(mixed, f"{LITERT} runs what {TFLM} lacks: {', '.join(mixed.lacking)}")


def device_engine(content: bytes) -> Engine:
    """Return the engine for operators that a device runs on its CPU."""
    return reference_of(content).engine
