"""Functions of recurrent layers by one word: sigmoid and tanh, or clips, free on an NPU."""

import inspect
from collections.abc import Mapping

from tinyprune.config.run import HARD, SOFT
from tinyprune.errors import UsageError, check_name
from tinyprune.models.loading.own import is_own
from tinyprune.registry import MODELS

_FUNCTIONS: Mapping[str, dict[str, str]] = {
    SOFT: {"activation": "tanh", "recurrent_activation": "sigmoid"},
    HARD: {"activation": "hard_tanh", "recurrent_activation": "hard_sigmoid"},
}


def functions(gates: str) -> dict[str, str]:
    """Return the arguments of an LSTM or GRU layer with soft or hard gates.

    Hard ones are ``clip(x / 6 + 0.5, 0, 1)`` (Courbariaux et al. 2015, arXiv 1511.00363) in place
    of a sigmoid, and ``clip(x, -1, 1)`` in place of a tanh.

    Raises UsageError for another word.
    """
    check_name("gates", gates, _FUNCTIONS)
    return dict(_FUNCTIONS[gates])


def require_gates(network: str, gates: str) -> None:
    """Raise UsageError for hard gates of a network whose gates cannot be chosen.

    ``network``: a registered name, a file or ``module:function``.
    """
    if gates == SOFT:
        return
    if is_own(network):
        arguments = ", ".join(f"{name}={value}" for name, value in functions(gates).items())
        raise UsageError(
            f"model.gates: {network} has the gates that it was made with: give its LSTM and GRU "
            f"layers {arguments}"
        )
    if not _has_gates(network):
        known = [name for name in MODELS if _has_gates(name)]
        raise UsageError(
            f"model.gates: {network} has no gates to choose: expected {' or '.join(known)}"
        )


def _has_gates(name: str) -> bool:
    return "gates" in inspect.signature(MODELS[name]).parameters
