"""The plan of a pruning: the structure and the final sparsity of each kernel."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.artifacts.cell_choice import CellChoice
from tinyprune.sparsity.layout import Layout, canonical_shape
from tinyprune.sparsity.structure import Structure


@dataclass(frozen=True)
class LayerPlan:
    """The pruning of one kernel.

    Attributes:
        layer: name of the Keras layer.
        kernel: attribute of the layer that holds the kernel ("kernel", "recurrent_kernel").
        shape: shape of the kernel, in Keras axis order.
        structure: its groups; a record has the label, e.g. "block 16x16".
        method: how groups are chosen, "magnitude" or "differentiable".
        groups: number of groups that the structure makes of the kernel.
        final_sparsity: fraction of the groups that is masked at the end; under a global scope, of
            all layers together that have the same structure and sparsity.
        layout: order of the kernel's axes.
        note: a remark for people, or empty.
        makes_outputs: whether its outputs are those of the network, none of which may be empty.
        gates: outputs of the kernel for each unit, side by side.
    """

    layer: str
    kernel: str
    shape: tuple[int, ...]
    structure: Structure
    method: str
    groups: int
    final_sparsity: float
    layout: Layout = Layout.STANDARD
    note: str = ""
    makes_outputs: bool = False
    gates: int = 1

    @property
    def key(self) -> str:
        """``layer/kernel``, the name of this kernel in masks and reports."""
        return f"{self.layer}/{self.kernel}"

    def groups_of_weights(self) -> IntArray:
        """Return the group of each weight, with axes (spatial..., inputs, outputs)."""
        shape = canonical_shape(self.shape, self.layout)
        if not self.structure.shares_gates:
            return self.structure.groups(shape)
        of_one_gate = (*shape[:-1], shape[-1] // self.gates)
        return np.tile(self.structure.groups(of_one_gate), self.gates)


@dataclass(frozen=True)
class FactorPlan:
    """A kernel that becomes two: (rows, rank) and (rank, outputs).

    Attributes:
        layer: name of the Keras layer, which the second of the two has.
        kernel: attribute of the layer that holds the kernel.
        first: name of the layer that is put before it.
        shape: shape of the kernel, in Keras axis order.
        rank: channels between the two.
        kept: share of the variance of the outputs that is left, on the calibration data.
        cycles: expected of the layer as it is, and of the two; None where nothing is known of the
            target.
    """

    layer: str
    kernel: str
    first: str
    shape: tuple[int, ...]
    rank: int
    kept: float
    cycles: tuple[float, float] | None = None

    @property
    def key(self) -> str:
        """``layer/kernel``."""
        return f"{self.layer}/{self.kernel}"

    @property
    def sparsity(self) -> float:
        """The fraction of the weights that is gone."""
        *rows, outputs = self.shape
        inputs = math.prod(rows)
        return 1 - self.rank * (inputs + outputs) / (inputs * outputs)

    @property
    def sentence(self) -> str:
        """The choice in words, e.g. "rank 16: 98.2% of the variance; 410 cycles, 980 whole"."""
        kept = f"rank {self.rank}: {self.kept:.1%} of the variance"
        if self.cycles is None:
            return kept
        whole, both = self.cycles
        return f"{kept}; {both:,.0f} cycles, {whole:,.0f} whole"


@dataclass(frozen=True)
class PruningPlan:
    """Per-kernel plans of one pruning, and why the other layers are left alone.

    Attributes:
        layers: one plan per kernel that is pruned, in the order of the network.
        skipped: layer name -> reason.
        scope: "global" (groups of all kernels ranked together) or "layer" (each kernel on its own).
        schedule: name of the schedule (registry.SCHEDULES).
        sparsity: final sparsity where no layer has its own, fraction in [0, 1).
        importance: name of the importance that groups are ranked by (registry.IMPORTANCES).
        begin, end: of the schedule, as a fraction of the training up to 1, else in optimizer steps.
        update_every: optimizer steps between two updates of the masks; None: 50 updates in all.
        round_to: the units that are left are a multiple of it.
        floor: share of the density that every kernel keeps (``sparsity/floor.py``).
        few_values: ``layer/kernel`` -> the most int8 values that it has at the end; empty where
            nothing is clustered.
        cells: the form of every LSTM layer.
        factors: the kernels that become two; they are in ``layers`` no more.
    """

    layers: tuple[LayerPlan, ...]
    skipped: dict[str, str]
    scope: str
    schedule: str
    sparsity: float
    importance: str = "l1"
    begin: float = 0.0
    end: float = 0.5
    update_every: int | None = None
    round_to: int = 8
    floor: float = 0.0
    few_values: dict[str, int] = field(default_factory=dict)
    cells: tuple[CellChoice, ...] = ()
    factors: tuple[FactorPlan, ...] = ()

    @property
    def removes_units(self) -> bool:
        """True if units of some kernel are removed."""
        return any(item.structure.name == "unit" for item in self.layers)

    def at(self, sparsity: float) -> "PruningPlan":
        """Return the plan with another final sparsity; n:m keeps its own."""
        layers = []
        for item in self.layers:
            if item.structure.fixed_sparsity is None:
                item = replace(item, final_sparsity=sparsity)
            layers.append(item)
        return replace(self, layers=tuple(layers), sparsity=sparsity)

    def steps(self, total: int) -> tuple[int, int, int]:
        """Return begin, end and frequency of the schedule in a training of ``total`` steps.

        Where nothing is masked, it has ended before the first.
        """
        if not self.layers:
            return 0, 0, 1
        last = max(0, min(_step(self.end, total), total - 1))
        first = min(_step(self.begin, total), last)
        frequency = self.update_every or max(1, (last - first) // 50)
        return first, last, frequency


def _step(moment: float, total: int) -> int:
    """The optimizer step of a moment that is a fraction of the training, or a step already."""
    return int(moment * total) if moment <= 1 else int(moment)
