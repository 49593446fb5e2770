"""Block-sparse kernels as small dense operators, where that takes fewer cycles by Vela's count.

Parts are found by expected costs (``tflite/lowering``), finer and coarser ones; Vela compiles the
network with each, and every operator gets the form that is cheapest. The network computes the same
bytes in all of them.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.resources import (
    LOWER_AUTO,
    CompiledArtifact,
    NpuTarget,
    ResourceReport,
)
from tinyprune.errors import TinypruneError
from tinyprune.npu import vela
from tinyprune.tflite.flatbuffer import ParsedFile
from tinyprune.tflite.lowering.parts import Costs
from tinyprune.tflite.lowering.rewriting import Parts, divided, divisible
from tinyprune.tflite.lowering.rewritten import Rewritten

log = logging.getLogger(__name__)

#: Cycles of an operator that parts are made for: fine, and coarse where operators are dear.
_OPERATORS = (75.0, 1200.0)
_WEIGHT_IN_SRAM, _WEIGHT_ELSEWHERE = 1 / 8, 1 / 2
_COPIED = 0.5
_ALL_IN_SRAM = "Sram_Only"
#: A divided operator has to be this much cheaper.
MOST_OF_DENSE = 0.97


@dataclass(frozen=True)
class _Measured:
    """A network with some operators divided, and what it costs."""

    parts: Mapping[int, Parts]
    report: ResourceReport

    def cycles(self, number: int) -> float:
        """Return the cycles of all that became of an operator."""
        costs = [cost for cost in self.report.operators if cost.source == number]
        return sum(cost.cycles for cost in costs)


def compile_lowered(
    source: ParsedFile,
    target: NpuTarget,
    output_dir: Path,
    layers: Sequence[str] = (),
    timeout_seconds: float = 300,
) -> CompiledArtifact:
    """Compile a network with block-sparse kernels lowered where that pays.

    Arguments and errors as of :func:`tinyprune.npu.vela.compile_file`. A network without such
    kernels, and one whose divided form Vela cannot compile, is compiled as it is.
    """
    candidates = _candidates(source, target)
    if not candidates:
        return vela.compile_file(source, target, output_dir, layers, timeout_seconds)
    earlier = vela.earlier(source, target, output_dir, layers, target.lower)
    if earlier is not None:
        return earlier
    with tempfile.TemporaryDirectory(prefix="tinyprune-lowering-") as name:
        trials = _Trials(source, target, Path(name), timeout_seconds)
        chosen = trials.cheapest(candidates)
    return vela.compile_file(
        source,
        target,
        output_dir,
        layers,
        timeout_seconds,
        _rewritten(source, chosen),
        target.lower,
    )


def _candidates(source: ParsedFile, target: NpuTarget) -> list[dict[int, Parts]]:
    """Return divisions of a network, each an operator's number -> its parts; empty for none."""
    if target.lower != LOWER_AUTO:
        return []
    macs_per_cycle = int(target.npu.rpartition("-")[2])
    weight = _WEIGHT_IN_SRAM if target.memory_mode == _ALL_IN_SRAM else _WEIGHT_ELSEWHERE
    found: list[dict[int, Parts]] = []
    for operator in _OPERATORS:
        costs = Costs(operator, weight, 1 / macs_per_cycle, _COPIED)
        parts = divisible(source.graph, costs)
        if parts and parts not in found:
            found.append(parts)
    return found


def _rewritten(source: ParsedFile, parts: Mapping[int, Parts]) -> Rewritten | None:
    return divided(source.content, parts) if parts else None


@dataclass(frozen=True)
class _Trials:
    """Compilations whose costs are compared.

    Attributes:
        source, target, timeout_seconds: as of :func:`compile_lowered`.
        folder: for what is compiled.
    """

    source: ParsedFile
    target: NpuTarget
    folder: Path
    timeout_seconds: float

    def cheapest(self, candidates: Sequence[Mapping[int, Parts]]) -> Mapping[int, Parts]:
        """Return the operators that are cheaper in parts, each with its cheapest parts."""
        dense = self._measured({})
        tried = [self._tried(parts) for parts in candidates]
        divisions = [trial for trial in tried if trial is not None]
        best = _best_parts(dense, divisions)
        if not best:
            return {}
        known = [trial for trial in divisions if trial.parts == best]
        together = known[0] if known else self._tried(best)
        is_cheaper = together is not None and together.report.cycles < dense.report.cycles
        return best if is_cheaper else {}

    def _tried(self, parts: Mapping[int, Parts]) -> _Measured | None:
        """Return what a division costs; None where Vela cannot compile it."""
        try:
            return self._measured(parts)
        except TinypruneError as error:
            log.info("%s stays dense where it would be divided: %s", self.source.path, error)
            return None

    def _measured(self, parts: Mapping[int, Parts]) -> _Measured:
        folder = self.folder / str(len(list(self.folder.iterdir())))
        rewritten = _rewritten(self.source, parts)
        made = vela.compile_file(
            self.source, self.target, folder, (), self.timeout_seconds, rewritten
        )
        return _Measured(parts, made.report)


def _best_parts(dense: _Measured, divisions: Sequence[_Measured]) -> dict[int, Parts]:
    """Return the operators that are cheaper in parts, each with its cheapest parts."""
    best: dict[int, Parts] = {}
    for number in sorted({number for trial in divisions for number in trial.parts}):
        parts = _cheapest(number, dense, divisions)
        if parts is not None:
            best[number] = parts
    return best


def _cheapest(number: int, dense: _Measured, divisions: Sequence[_Measured]) -> Parts | None:
    """Return the cheapest parts of an operator; None where it is to stay whole."""
    trials = [trial for trial in divisions if number in trial.parts]
    best = min(trials, key=lambda trial: trial.cycles(number))
    if best.cycles(number) <= MOST_OF_DENSE * dense.cycles(number):
        return best.parts[number]
    return None
