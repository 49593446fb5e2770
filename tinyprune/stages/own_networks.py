"""Networks of Keras from files and functions, with the layers of this package known to Keras."""

import importlib
from typing import TYPE_CHECKING

from tinyprune.models.loading import own

if TYPE_CHECKING:
    import keras

#: Modules that make layers known to Keras; they are imported when a network is loaded, for Keras is
#: not there in a light installation.
_WITH_LAYERS = (
    "tinyprune.compress.kinds.attention",
    "tinyprune.compress.kinds.cell_lstm",
    "tinyprune.compress.kinds.channel_layers",
    "tinyprune.compress.kinds.composed",
    "tinyprune.compress.kinds.mean",
    "tinyprune.models.positions",
)


def load(source: str, custom: tuple[str, ...] = (), weights: str | None = None) -> "keras.Model":
    """Return a network, as :func:`tinyprune.models.loading.own.load` does.

    Variants have layers of this package, which Keras knows once their modules are imported.
    """
    for module in _WITH_LAYERS:
        importlib.import_module(module)
    return own.load(source, custom, weights)
