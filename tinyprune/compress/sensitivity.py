"""One layer of a network pruned at a time, with the int8 grids of all layers, without training."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import batches, calibrate, compressed_layers, prepare
from tinyprune.config import MagnitudePruning
from tinyprune.errors import UsageError
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.unit_sets import Coupling


@dataclass(frozen=True)
class Trial:
    """Layers that are pruned together, alone in the network.

    Attributes:
        layers: one layer, or all that share units.
        plan: of their kernels.
    """

    layers: tuple[str, ...]
    plan: PruningPlan


class LayerPruner:
    """A network of which one layer at a time is pruned, and then whole again.

    Attributes:
        prepared: the network with masks and int8 grids.
    """

    def __init__(self, canonical: keras.Model, calibration: np.ndarray) -> None:
        """Swap compressed layers in.

        Args:
            canonical: plain network in canonical form.
            calibration: inputs that activation ranges are measured on.
        """
        self.prepared = prepare(canonical)
        self._canonical = canonical
        self._calibration = batches(calibration, self.prepared)
        calibrate(self.prepared, self._calibration)

    def trials(self, config: MagnitudePruning) -> tuple[list[Trial], dict[str, str]]:
        """Return the trials of one structure and sparsity, and why other layers have none."""
        try:
            whole = plan(self._canonical, config)
        except UsageError as error:  # it fits no layer at all
            return [], {"all layers": str(error)}
        trials = []
        for layers in self._together(whole):
            items = tuple(item for item in whole.layers if item.layer in layers)
            trials.append(Trial(layers, replace(whole, layers=items)))
        return trials, whole.skipped

    def prune(self, trial: Trial) -> None:
        """Prune the layers of a trial, and measure activation ranges as an export does."""
        for layer in compressed_layers(self.prepared):
            for mask in layer.masks.values():
                mask.assign(np.ones(mask.shape, np.float32))
        shared = self._coupling() if trial.plan.removes_units else None
        MaskUpdater(self.prepared, trial.plan, 1, shared).update(0)
        calibrate(self.prepared, self._calibration)

    def _together(self, whole: PruningPlan) -> Iterator[tuple[str, ...]]:
        """Yield the layers of a plan one by one; those that share units together."""
        remaining = list(whole.layers)
        while remaining:
            first = remaining[0]
            layers = {first.layer}
            if whole.removes_units:
                layers = self._sharing(first, remaining)
            names = [item.layer for item in remaining if item.layer in layers]
            yield tuple(dict.fromkeys(names))
            remaining = [item for item in remaining if item.layer not in layers]

    def _sharing(self, first: LayerPlan, items: list[LayerPlan]) -> set[str]:
        """Return the layers that share units with a layer, directly or over others."""
        outputs = self._coupling().outputs
        layers = {first.layer}
        units: set[int] = set()
        is_growing = True
        while is_growing:
            before = len(layers)
            for item in items:
                if item.layer in layers:
                    units.update(outputs[item.key].tolist())
            units.discard(-1)
            for item in items:
                if not units.isdisjoint(outputs[item.key].tolist()):
                    layers.add(item.layer)
            is_growing = len(layers) > before
        return layers

    def _coupling(self) -> Coupling:
        """Return what units the layers share."""
        return coupling(self._canonical)
