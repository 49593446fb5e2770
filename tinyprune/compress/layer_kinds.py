"""The kinds of Keras layers that have kernels: where their kernels and biases are, and how the axes lie."""

import keras

from tinyprune.sparsity.layout import Layout

LAYOUTS: dict[type[keras.Layer], Layout] = {
    keras.layers.Dense: Layout.STANDARD,
    keras.layers.Conv1D: Layout.STANDARD,
    keras.layers.Conv2D: Layout.STANDARD,
    keras.layers.DepthwiseConv2D: Layout.DEPTHWISE,
    keras.layers.Conv2DTranspose: Layout.TRANSPOSED,
    keras.layers.LSTM: Layout.STANDARD,
}


def kind(layer: keras.Layer) -> type[keras.Layer] | None:
    """The plain type of a plain or compressed layer with kernels; None for every other layer, users' subclasses too."""
    plain = getattr(type(layer), "plain", type(layer))
    return plain if plain in LAYOUTS else None


def kernels(layer: keras.Layer) -> dict[str, keras.Variable]:
    """Kernel name -> variable, in the order of the layer's weights."""
    if isinstance(layer, keras.layers.LSTM):
        return {"kernel": layer.cell.kernel, "recurrent_kernel": layer.cell.recurrent_kernel}
    return {"kernel": layer.kernel}


def bias(layer: keras.Layer) -> keras.Variable | None:
    """The bias, one number per output (an LSTM has four gates of them), or None."""
    return (
        (layer.cell if isinstance(layer, keras.layers.LSTM) else layer).bias
        if layer.use_bias
        else None
    )


def layout(layer: keras.Layer) -> Layout:
    """How the axes of the layer's kernels lie."""
    found = kind(layer)
    if found is None:
        raise TypeError(f"{type(layer).__name__} layer '{layer.name}' has no kernels")
    return LAYOUTS[found]
