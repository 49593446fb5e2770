"""The registered networks, small, and some of their units to keep."""

import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.models import crn, ds_cnn, mobilenet_v2, resnet8, tinylstm

#: Name -> the function that builds it, the frames of a call.
NETWORKS = {
    "tinylstm": (lambda: tinylstm.build(units=12, hidden=10), 1),
    "crn": (lambda: crn.build(channels=(4, 6, 8), hidden=10, dilations=(1, 2)), 1),
    "ds_cnn": (lambda: ds_cnn.build(channels=12, blocks=2), None),
    "resnet8": (lambda: resnet8.build(filters=4), None),
    "mobilenet_v2": (lambda: mobilenet_v2.build((16, 16, 3), width=0.25, expansion=2), None),
}


def case(name, seed):
    """A canonical network, its coupling, the units that stay, how many of each set, the frames of a call."""
    build, frames = NETWORKS[name]
    model = fold(build())
    units, rng = coupling(model), np.random.default_rng(seed)
    keep = rng.random(units.units) < 0.6
    for item in units.sets:
        keep[item.start] = True
    return (
        model,
        units,
        keep,
        np.array([keep[item.slice].sum() for item in units.sets], float),
        frames,
    )
