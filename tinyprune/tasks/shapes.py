"""The registered network for inputs of a shape."""

from tinyprune.named_arrays import Shapes
from tinyprune.tasks.task import Shape

COLOURS = 3  # channels of an image; features of sound have one
#: Number of axes of an input -> the network for it.
NETWORKS = {1: "mlp", 2: "conv1d", 3: "ds_cnn"}


def network_of(shape: Shape | Shapes) -> str:
    """Return the default network for features, for windows (time, features), or for images.

    Inputs with more axes have none; the network for features says so when it is built. So it does
    for several inputs.
    """
    if isinstance(shape, dict):
        return NETWORKS[1]
    if len(shape) == 3 and shape[-1] == COLOURS:
        return "resnet8"
    return NETWORKS.get(len(shape), NETWORKS[1])
