"""The plan of a pruning: what happens to each kernel."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerPlan:
    """What happens to one kernel.

    Attributes:
        layer: name of the Keras layer.
        kernel: attribute of the layer that holds the kernel ("kernel", "recurrent_kernel").
        shape: shape of the kernel, in Keras axis order.
        structure: "weight", "block 16x16", "2:4" or "unit".
        method: how groups are chosen, "magnitude" or "differentiable".
        groups: number of groups that the structure makes of the kernel.
        final_sparsity: fraction of the groups that is masked at the end; under a global scope, of
            all layers together that have the same structure and sparsity.
        layout: how the axes of the kernel lie (sparsity/layout.py).
        note: what a person should know, or empty.
    """

    layer: str
    kernel: str
    shape: tuple[int, ...]
    structure: str
    method: str
    groups: int
    final_sparsity: float
    layout: str = "standard"
    note: str = ""

    @property
    def key(self) -> str:
        """``layer/kernel``, the name of this kernel in masks and reports."""
        return f"{self.layer}/{self.kernel}"


@dataclass(frozen=True)
class PruningPlan:
    """Per-kernel plans of one pruning, and why the other layers are left alone.

    Attributes:
        layers: one plan per kernel that is pruned, in the order of the network.
        skipped: layer name -> reason.
        scope: "global" (groups of all kernels ranked together) or "layer" (each kernel on its own).
        schedule: name of the schedule (registry.SCHEDULES).
        sparsity: final sparsity where no layer has its own, fraction in [0, 1).
        importance: name of what groups are ranked by (registry.IMPORTANCES).
        begin, end: of the schedule, as a fraction of the training up to 1, else in optimizer steps.
        update_every: optimizer steps between two updates of the masks; None: 50 updates in all.
        round_to: the units that are left are a multiple of it.
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

    def steps(self, total: int) -> tuple[int, int, int]:
        """Begin, end and frequency of the schedule in a training of ``total`` optimizer steps."""
        begin, end = (
            int(moment * total) if moment <= 1 else int(moment) for moment in (self.begin, self.end)
        )
        end = max(0, min(end, total - 1))
        begin = min(begin, end)
        return begin, end, self.update_every or max(1, (end - begin) // 50)
