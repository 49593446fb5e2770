"""Engines that run a ``.tflite`` on integers: TFLM, which microcontrollers run, and LiteRT."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tinyprune import extras
from tinyprune.errors import TinypruneError

TFLM_PACKAGE = "tflite_micro"
TFLM, LITERT = "TFLM", "LiteRT"
_ARENA_FACTOR, _ARENA_BYTES = 20, 1 << 24


class Engine(Protocol):
    """A network that is loaded and may keep state.

    Attributes:
        name: of the engine.
    """

    name: str

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs for inputs of the types and shapes of the network."""

    def reset(self) -> None:
        """Forget all state."""


class Tflm:
    """TFLM's interpreter. Raises TinypruneError for a network that it cannot run."""

    name = TFLM

    def __init__(self, content: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        arena = _ARENA_FACTOR * len(content) + _ARENA_BYTES
        try:
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
            self._interpreter.invoke()  # some operators are refused here only
            self._interpreter.reset()
        except (RuntimeError, ValueError) as error:
            raise TinypruneError(f"TFLM cannot run the network: {_words(error)}") from error
        self._outputs = _output_count(content)

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs."""
        try:
            for number, values in enumerate(inputs):
                self._interpreter.set_input(values, number)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise TinypruneError(f"TFLM cannot run the network: {_words(error)}") from error
        return [self._interpreter.get_output(number) for number in range(self._outputs)]

    def reset(self) -> None:
        """Forget all state."""
        self._interpreter.reset()


class LiteRt:
    """LiteRT's interpreter, with reference kernels, which round as TFLM's do, where it has them.

    Raises TinypruneError for a network that it cannot run.
    """

    name = LITERT

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import OpResolverType

        try:
            self._interpreter = _litert(content, OpResolverType.BUILTIN_REF)
        except (RuntimeError, ValueError):
            try:
                self._interpreter = _litert(content, OpResolverType.AUTO)
            except (RuntimeError, ValueError) as error:
                said = _words(error)
                raise TinypruneError(f"LiteRT cannot run the network: {said}") from error
        self._inputs = [end["index"] for end in self._interpreter.get_input_details()]
        self._outputs = [end["index"] for end in self._interpreter.get_output_details()]

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs."""
        for index, values in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def reset(self) -> None:
        """Forget all state."""
        self._interpreter.reset_all_variables()


def _litert(content: bytes, kernels: Any) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    return interpreter


def has_tflm() -> bool:
    """Return whether TFLM is installed."""
    return extras.is_installed(TFLM_PACKAGE)


def _output_count(content: bytes) -> int:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(content, 0).Subgraphs(0).OutputsLength()


def _words(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0].rstrip(".")
