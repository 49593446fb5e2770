"""TinyLSTM: the speech-enhancement network of Fedorov et al. 2020 ("TinyLSTMs", arXiv 2005.11138).

Mel features -> LSTM 256 -> LSTM 256 -> Dense 128 ReLU -> Dense 128 sigmoid -> mel mask, as
Stamenovic et al. 2021 prune it. Causal; one frame of 16 ms per step.
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
    gates: str = SOFT,
) -> keras.Model:
    """TinyLSTM (Fedorov et al. 2020), causal speech enhancement:
    mel features -> mask; 968,960 parameters.

    (batch, frames, bands) -> (batch, frames, outputs), in [0, 1].

    Args:
        inputs: (frames, bands) of one sequence of features; frames may be None.
        outputs: bands of the mask.
        units: LSTM units of each of the two layers.
        hidden: neurons of the layer between the LSTMs and the mask.
        activation: of the last layer.
        gates: soft (sigmoid and tanh) or hard (clipped lines) functions of the LSTM layers.
    """
    check("tinylstm", inputs, ("frames", "bands"), free=("frames",))
    x = features = keras.Input(inputs, name="features")
    settings = {"return_sequences": True, **functions(gates)}
    for name in ("lstm_1", "lstm_2"):
        x = keras.layers.LSTM(units, name=name, **settings)(x)
    x = keras.layers.Dense(hidden, activation="relu", name="dense")(x)
    mask = keras.layers.Dense(outputs, activation=activation, name="mask")(x)
    return keras.Model(features, mask, name="tinylstm")
