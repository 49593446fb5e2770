"""The whole plan of a pruning: kernels, ranks of layers that become two, forms of LSTM layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.low_rank import input_statistics, split_in_two, with_factors
from tinyprune.compress.planning import plan
from tinyprune.compress.recurrent_forms import LSTMForm, with_forms
from tinyprune.config import TrainedPruning
from tinyprune.config.pruning import FUSED
from tinyprune.npu.blocks import block_size
from tinyprune.sparsity.factors import InputStatistics
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.cell_choice import choose_cells
from tinyprune.stages.rank_choice import RankChoice


@dataclass(frozen=True)
class Planner:
    """Plans a pruning of a network in canonical form.

    Attributes:
        config: the pruning.
        target: the accelerator that forms and ranks of layers are chosen for.
        frames: time steps of one call on the device; None for a network on examples.
        calibration: gives inputs (n, ...) of real data; asked where layers become two.
        masks: ``layer/kernel`` -> mask that the network has from its base.
        known: layer -> statistics of its inputs, as far as they were asked for.
    """

    config: TrainedPruning
    target: NpuTarget
    frames: int | None
    calibration: Callable[[], np.ndarray]
    masks: Mapping[str, np.ndarray]
    known: dict[str, InputStatistics] = field(default_factory=dict)

    def plan(self, canonical: keras.Model) -> PruningPlan:
        """Return the plan. Raises UsageError as :func:`tinyprune.compress.planning.plan` does."""
        grouping = self.config.grouping
        ranks = RankChoice(
            inputs=self.inputs,
            target=self.target,
            frames=self.frames,
            scope=grouping.scope,
            round_to=grouping.round_to,
            masked={key for key, mask in self.masks.items() if not mask.all()},
        )
        pruning = plan(canonical, self.config, block_size(self.target), ranks)
        shaped = split_in_two(canonical, pruning.factors) if pruning.factors else canonical
        form = self.config.settled(None).cell or FUSED
        cells = choose_cells(shaped, pruning, form, self.target, self.frames, self.calibration)
        return replace(pruning, cells=cells)

    def planned(self, canonical: keras.Model, pruning: PruningPlan) -> keras.Model:
        """Return the network that the plan prunes: its layers that are two, its forms of LSTM."""
        inputs = self.inputs(canonical, [item.layer for item in pruning.factors])
        network = with_factors(canonical, pruning.factors, inputs)
        forms = {cell.layer: LSTMForm(cell.form, cell.input_limit) for cell in pruning.cells}
        return with_forms(network, forms)

    def inputs(self, canonical: keras.Model, names: Sequence[str]) -> Mapping[str, InputStatistics]:
        """Return statistics of the inputs of layers, at least of these."""
        missing = [name for name in names if name not in self.known]
        if missing:
            self.known.update(input_statistics(canonical, missing, self.calibration()))
        return self.known
