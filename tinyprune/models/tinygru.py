"""TinyGRU: the network of TinyLSTM (models/tinylstm.py) with GRU layers in place of the LSTMs.

Three gates in place of four: a quarter fewer weights in the recurrent layers.
"""

import keras

from tinyprune.config.run import SOFT
from tinyprune.models.gates import functions
from tinyprune.models.inputs import Shape, check


def build(
    inputs: Shape = (None, 128),
    outputs: int = 128,
    units: int = 256,
    hidden: int = 128,
    activation: str = "sigmoid",
    reset_after: bool = True,
    gates: str = SOFT,
) -> keras.Model:
    """TinyGRU, causal speech enhancement:
    mel features -> mask; 740,608 parameters.

    (batch, frames, bands) -> (batch, frames, outputs), in [0, 1].

    Args:
        inputs: (frames, bands) of one sequence of features; frames may be None.
        outputs: bands of the mask.
        units: GRU units of each of the two layers.
        hidden: neurons of the layer between the GRUs and the mask.
        activation: of the last layer.
        reset_after: whether the reset gate acts after the product with the recurrent kernel.
        gates: soft (sigmoid and tanh) or hard (clipped lines) functions of the GRU layers.
    """
    check("tinygru", inputs, ("frames", "bands"), free=("frames",))
    x = features = keras.Input(inputs, name="features")
    settings = {"return_sequences": True, "reset_after": reset_after, **functions(gates)}
    for name in ("gru_1", "gru_2"):
        x = keras.layers.GRU(units, name=name, **settings)(x)
    x = keras.layers.Dense(hidden, activation="relu", name="dense")(x)
    mask = keras.layers.Dense(outputs, activation=activation, name="mask")(x)
    return keras.Model(features, mask, name="tinygru")
