"""Palettes that follow the weights while the network trains: few values in every kernel."""

import keras
import numpy as np

from tinyprune.compress.prepare import compressed_layers
from tinyprune.sparsity.clusters import palette

UPDATES = 100  # of palettes in a training


class PaletteUpdater:
    """Finds the few values of every kernel anew, at fixed steps of the training.

    In each step a weight takes the value that is nearest to it; here the values move to where the
    weights are by then, by exact k-means.
    """

    def __init__(self, prepared: keras.Model) -> None:
        """Give palettes to a model that was prepared with some (``few_values``)."""
        self._layers = [layer for layer in compressed_layers(prepared) if layer.palettes]
        self.update()

    def is_due(self, step: int, steps: int) -> bool:
        """Return whether palettes change before optimizer step ``step`` of ``steps``."""
        return step % max(1, steps // UPDATES) == 0

    def update(self) -> None:
        """Set every palette to the best values of the weights and masks that are there now."""
        for layer in self._layers:
            for name, variable in layer.palettes.items():
                number = variable.shape[1]
                has_zero = layer.masked and not layer.masks[name].numpy().all()
                found = [
                    palette(steps.numpy(), number, has_zero) for steps in layer.kernel_steps(name)
                ]
                variable.assign(np.stack(found))
