"""A network that learns int8 weights under masks: prepare, let anything train it, finish."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.mask_updater import MaskUpdater, kept_units, read_masks
from tinyprune.compress.palette_updater import PaletteUpdater
from tinyprune.compress.prepare import batches, calibrate, prepare, strip
from tinyprune.compress.reach import Reach, probes
from tinyprune.compress.remove import remove, remove_masks
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.plan import PruningPlan


@dataclass(frozen=True)
class PrunedNetwork:
    """The result of a pruning.

    Attributes:
        model: plain layers; zeros and int8 values in the kernels, removed units gone.
        masks: ``layer/kernel`` -> mask (1: kept), of the kernel's shape.
    """

    model: keras.Model
    masks: dict[str, np.ndarray]


class MaskedNetwork:
    """A canonical network with masks and int8 grids in its layers.

    Attributes:
        template: the canonical network that it was made of.
        plan: of the pruning.
        prepared: the network to train.
        palettes: what finds the few values of kernels anew; None where they have many.
    """

    def __init__(self, template: keras.Model, plan: PruningPlan, calibration: np.ndarray) -> None:
        """Swap compressed layers in and set the activation ranges.

        Args:
            template: plain network in canonical form.
            plan: of the pruning of this network.
            calibration: inputs (n, ...) of real data; of sequences, consecutive frames.
        """
        self.template = template
        self.plan = plan
        self._coupling = coupling(template) if plan.removes_units else None
        follows_gradients = plan.importance in FROM_GRADIENTS
        self.prepared = prepare(
            template,
            salient=follows_gradients,
            normalised=True,
            few_values=plan.few_values,
        )
        self.palettes = PaletteUpdater(self.prepared) if plan.few_values else None
        calibrate(self.prepared, batches(calibration, self.prepared))
        self._reach = Reach(template, probes(calibration, template))

    def updater(
        self,
        steps: int,
        inherited: Mapping[str, np.ndarray] | None = None,
        plan: PruningPlan | None = None,
    ) -> MaskUpdater:
        """Return what moves the masks in a training of ``steps`` optimizer steps.

        Args:
            steps: of the training.
            inherited: ``layer/kernel`` -> mask that the network has from its base.
            plan: with other sparsities; None: that of the pruning.
        """
        return MaskUpdater(self.prepared, plan or self.plan, steps, self._coupling, inherited)

    def check(self) -> None:
        """Raise CheckFailed where the masks let nothing of the input come to the output."""
        self._reach.check(read_masks(self.prepared))

    def finish(self) -> PrunedNetwork:
        """Return the plain network with what was learned; removed units are gone.

        Raises CheckFailed where the masks let nothing of the input come to the output.
        """
        self.check()
        model = strip(self.prepared, self.template)
        masks = read_masks(self.prepared)
        if self._coupling is None:
            return PrunedNetwork(model, masks)
        keep = kept_units(self._coupling, masks)
        return PrunedNetwork(
            remove(model, self._coupling, keep), remove_masks(masks, self._coupling, keep)
        )
