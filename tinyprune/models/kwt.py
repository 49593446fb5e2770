"""KWT: keyword spotting with a small transformer.

Berg et al. 2021, "Keyword Transformer", arXiv 2104.00769: frames are the tokens, normalisation
comes after each residual sum. It is smaller than the paper's KWT-1; instead of a token of its own,
the mean over all frames is classified, and ReLU stands for GELU.
"""

from typing import Any

import keras

from tinyprune.models.inputs import Shape, check
from tinyprune.models.positions import Positions


def build(
    inputs: Shape = (49, 10, 1),
    outputs: int = 12,
    channels: int = 64,
    heads: int = 4,
    hidden: int = 128,
    blocks: int = 3,
    dropout: float = 0.1,
    activation: str = "softmax",
) -> keras.Model:
    """Keyword transformer: MFCC -> probabilities of words; 105,036 parameters.

    (batch, frames, coefficients, channels) -> (batch, words).

    Args:
        inputs: (frames, coefficients, channels) of one input.
        outputs: number of words.
        channels: of a frame between the blocks, divided among the heads.
        heads: of each attention.
        hidden: units of the layer between the products of a block.
        blocks: of attention and products.
        dropout: fraction of what each block adds that is dropped while learning.
        activation: of the last layer.
    """
    check("kwt", inputs, ("frames", "coefficients", "channels"))
    frames, *bands = inputs
    features = keras.Input(inputs, name="features")
    width = int(bands[0] or 1) * int(bands[1] or 1)
    x = keras.layers.Reshape((frames, width), name="frames")(features)
    x = keras.layers.Dense(channels, name="embedding")(x)
    x = Positions(name="positions")(x)
    for block in range(1, blocks + 1):
        name = f"block_{block}"
        attention = keras.layers.MultiHeadAttention(
            heads,
            channels // heads,
            name=f"{name}_attention",
        )
        x = _added(x, attention(x, x), dropout, f"{name}_attention")
        y = keras.layers.Dense(hidden, activation="relu", name=f"{name}_wide")(x)
        y = keras.layers.Dense(channels, name=f"{name}_narrow")(y)
        x = _added(x, y, dropout, f"{name}_narrow")
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    probabilities = keras.layers.Dense(outputs, activation=activation, name="words")(x)
    return keras.Model(features, probabilities, name="kwt")


def _added(x: Any, change: Any, dropout: float, name: str) -> Any:
    """The normalised sum of a sequence and what a part of a block adds to it."""
    change = keras.layers.Dropout(dropout, name=f"{name}_dropout")(change)
    total = keras.layers.Add(name=f"{name}_sum")([x, change])
    return keras.layers.LayerNormalization(name=f"{name}_norm")(total)
