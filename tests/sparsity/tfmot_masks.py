"""The opponent's masks, ``python tfmot_masks.py OUT.npz``: a program, because TFMOT's wrappers want Keras 2.

Trains a Conv2D + Dense network with a learning rate of 0 under ``prune_low_magnitude`` and its own
callback, and writes weights, and after every step the number of TFMOT's step and its masks:
``CASE/LAYER/weights``, ``CASE/LAYER/masks`` of shape (steps, *kernel), ``CASE/steps``.
"""

import os
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras

STEPS, BATCH = 31, 2
_SPARSITY = tfmot.sparsity.keras
POLYNOMIAL = {"begin_step": 5, "end_step": 25, "frequency": 4}
CASES = {
    "polynomial": {"pruning_schedule": _SPARSITY.PolynomialDecay(0.0, 0.5, **POLYNOMIAL)},
    "linear": {"pruning_schedule": _SPARSITY.PolynomialDecay(0.1, 0.5, power=1, **POLYNOMIAL)},
    "constant": {"pruning_schedule": _SPARSITY.ConstantSparsity(0.8, 3, 20, 5)},
    "2:4": {"sparsity_m_by_n": (2, 4)},
    "3:4": {"sparsity_m_by_n": (1, 4)},
}


def network(inputs: int) -> keras.Sequential:
    """Kernels of (5, 5, inputs, 20) and (80, 50); with 8 inputs, 4000 weights each."""
    layers = keras.layers
    sizes = [layers.Conv2D(20, 5, name="conv"), layers.Flatten(), layers.Dense(50, name="dense")]
    return keras.Sequential([keras.Input((6, 6, inputs)), *sizes])


class Recorder(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.masks: dict[str, list[np.ndarray]] = {"conv": [], "dense": []}

    def on_train_batch_end(self, batch, logs=None) -> None:
        wrappers = {
            layer.layer.name: layer for layer in self.model.layers if hasattr(layer, "pruning_step")
        }
        self.steps.append(int(wrappers["conv"].pruning_step))
        for name, masks in self.masks.items():
            ((_, mask, _),) = wrappers[name].pruning_vars
            masks.append(mask.numpy())


def run(inputs: int, **arguments) -> dict[str, np.ndarray]:
    keras.utils.set_random_seed(inputs)
    plain = network(inputs)
    weights = {name: plain.get_layer(name).kernel.numpy() for name in ("conv", "dense")}
    pruned = _SPARSITY.prune_low_magnitude(plain, **arguments)
    pruned.compile(keras.optimizers.legacy.SGD(0.0), "mse")
    recorder, rng = Recorder(), np.random.default_rng(0)
    x, y = rng.normal(size=(STEPS * BATCH, 6, 6, inputs)), rng.normal(size=(STEPS * BATCH, 50))
    pruned.fit(x, y, BATCH, verbose=0, callbacks=[_SPARSITY.UpdatePruningStep(), recorder])
    masks = {f"{name}/masks": np.stack(found) for name, found in recorder.masks.items()}
    return {
        "steps": np.array(recorder.steps),
        **masks,
        **{f"{name}/weights": w for name, w in weights.items()},
    }


def main(path: str) -> None:
    found = {}
    for inputs in (8, 6):
        for case, arguments in CASES.items():
            found |= {
                f"{case}/{inputs}/{key}": value for key, value in run(inputs, **arguments).items()
            }
    np.savez(path, **found)


if __name__ == "__main__":
    main(sys.argv[1])
