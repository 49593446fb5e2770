"""The constants of the cost model.

They are fitted to Vela by ``benchmarks/npu/fit_npu.py`` and ship in ``cost_model.json``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import UsageError

DATA = "cost_model.json"
#: Kinds of operators that have constants of their own.
KINDS = (
    "conv",
    "tiled",
    "depthwise",
    "transposed",
    "dense",
    "gate",
    "cell",
    "mean",
    "pool",
    "add",
    "softmax",
    "softmax_rows",
    "concat",
    "matmul",
    "transpose",
)
#: Bytes of weights as they are, over those that are compressed, up to which a U85 with weights in
#: SRAM leaves them so.
MOST_FAST = 2.3
TERMS = {"compute": 6, "sram": 4, "slow": 4, "encoding": 4}  # how many constants


@dataclass(frozen=True)
class Constants:
    """The constants that were fitted for one target.

    Attributes:
        micro_blocks: (rows, columns, channels) that the NPU can compute at once.
        kinds: kind -> term of TERMS -> its constants, in the order of the formulas above.
        output_cycles: least cycles of computing for each element that is made.
        scale_cycles: least cycles of the slow memory for the scales of 16 output channels.
        tables: kind -> bytes of lookup tables for one operator.
        staged: kind -> 1 if Vela copies weights of an operator to SRAM, 0 if not.
        buffer_part, buffer_bytes: SRAM for these copies is at most this part of the weights plus so
            many bytes.
        cell_bytes: SRAM for each unit of an LSTM while it runs, besides its input and output.
        sram_bytes: the most SRAM there is; 0: no limit.
        weights_in_sram: True if weights live in SRAM (Sram_Only).
        fast_weights: True if weights need not be compressed, where that is faster (U85 with weights
            in SRAM).
    """

    micro_blocks: tuple[tuple[int, int, int], ...]
    kinds: Mapping[str, Mapping[str, tuple[float, ...]]]
    output_cycles: float
    scale_cycles: float
    tables: Mapping[str, float]
    staged: Mapping[str, float]
    buffer_part: float
    buffer_bytes: float
    cell_bytes: float
    sram_bytes: float
    weights_in_sram: bool
    fast_weights: bool = False


def key(target: NpuTarget) -> str:
    """Return the name of a target in the data: accelerator, system config, memory mode."""
    return f"{target.npu}/{target.system_config}/{target.memory_mode}"


@cache
def _shipped() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(
        files("tinyprune.npu").joinpath(DATA).read_text(encoding="utf-8")
    )
    return content


def known_targets() -> tuple[NpuTarget, ...]:
    """Return the targets that there are constants for."""
    return tuple(NpuTarget(*name.split("/")) for name in _shipped()["targets"])


def has_constants(target: NpuTarget) -> bool:
    """Return True if there are constants for a target.

    There are none for a user's own configuration file, whose sections may be anything.
    """
    return target.vela_config == NpuTarget.vela_config and key(target) in _shipped()["targets"]


def constants_of(target: NpuTarget) -> Constants:
    """Return the constants of a target. Raises UsageError, listing what exists, without any."""
    content = _shipped()["targets"].get(key(target))
    if content is None:
        expected = ", ".join(map(key, known_targets()))
        raise UsageError(f"no cost model for {key(target)}: expected one of {expected}")
    return from_json(content)


def from_json(content: Mapping[str, Any]) -> Constants:
    """Return constants of their JSON form."""
    kinds = {}
    for kind, terms in content["kinds"].items():
        kinds[kind] = {term: tuple(values) for term, values in terms.items()}
    fields = dict(content)
    fields["kinds"] = kinds
    fields["micro_blocks"] = tuple(
        (high, wide, deep) for high, wide, deep in content["micro_blocks"]
    )
    return Constants(**fields)
