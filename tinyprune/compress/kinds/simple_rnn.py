"""SimpleRNN, before its steps are written out (compress/simple_rnn.py)."""

from typing import Any

import keras

from tinyprune.compress.activations import FAMILIAR, activation_name
from tinyprune.compress.kinds.base import LayerKind
from tinyprune.compress.kinds.frames import Shape
from tinyprune.errors import UsageError


class SimpleRNN(LayerKind):
    """SimpleRNN over a fixed number of frames."""

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return that its steps are written out for a fixed number of frames."""
        del layer, shape, output_shape
        return "is a SimpleRNN, whose steps are written out; use an LSTM"

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError for settings that steps do not have."""
        unusual = {
            "stateful": layer.stateful,
            "return_state": layer.return_state,
            "recurrent_dropout": bool(layer.recurrent_dropout),
            "activation": activation_name(layer.activation) not in FAMILIAR,
        }
        names = [name for name, is_so in unusual.items() if is_so]
        if names:
            raise UsageError(
                f"SimpleRNN layer '{layer.name}' sets {', '.join(names)}: "
                "that cannot be written out as steps; use the default of it"
            )

    def check_call(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise UsageError for a state, a mask, or frames whose number is not known."""
        extra = [*args[1:], kwargs.get("initial_state"), kwargs.get("mask")]
        if any(value is not None for value in extra):
            raise UsageError(
                f"SimpleRNN layer '{layer.name}' is given a state or a mask: "
                "neither can be written out as steps"
            )
        if args[0].shape[1] is None:
            raise UsageError(
                f"SimpleRNN layer '{layer.name}' takes any number of frames: its steps are written "
                "out for a fixed one; give the Input its length, or use an LSTM"
            )
