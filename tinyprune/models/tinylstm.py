"""TinyLSTM: the speech-enhancement network of Fedorov et al. 2020 ("TinyLSTMs", arXiv 2005.11138).

Mel features -> LSTM 256 -> LSTM 256 -> Dense 128 ReLU -> Dense 128 sigmoid -> mel mask, as Stamenovic et al. 2021 prune
it. Causal; one frame of 16 ms per step.
"""

import keras


def build(bands: int = 128, units: int = 256, hidden: int = 128) -> keras.Model:
    """TinyLSTM, causal speech enhancement: features (batch, frames, bands) -> mask of that shape in [0, 1].

    With the default sizes it has 968,960 parameters.
    """
    features = keras.Input((None, bands), name="features")
    x = keras.layers.LSTM(units, return_sequences=True, name="lstm_1")(features)
    x = keras.layers.LSTM(units, return_sequences=True, name="lstm_2")(x)
    x = keras.layers.Dense(hidden, activation="relu", name="dense")(x)
    mask = keras.layers.Dense(bands, activation="sigmoid", name="mask")(x)
    return keras.Model(features, mask, name="tinylstm")
