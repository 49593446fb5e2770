"""Masks that are drawn: what a pruning will leave, as far as costs go, before it is trained."""

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.plan import LayerPlan


def drawn_mask(plan: LayerPlan, rng: np.random.Generator) -> Float32Array:
    """Return a mask of a kernel, (spatial..., inputs, outputs), of the sparsity that is planned."""
    ids = plan.groups_of_weights()
    importance = plan.structure.ranked(rng.random(int(ids.max()) + 1), ids.shape)
    return masks({"": importance}, {"": ids}, plan.final_sparsity, "layer")[""]
