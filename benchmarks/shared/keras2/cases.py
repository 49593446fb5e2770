"""What the Keras 2 process is asked for: each function sets a case up and gives a function that runs it once."""

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from benchmarks.paper.keras2_speech import convert_speech, prune_speech, quantize_speech
from benchmarks.shared import labelled_workload
from benchmarks.shared.keras2.conversion import keras2_model
from benchmarks.shared.keras2.pipeline import prune, quantize
from tinyprune.registry import MODELS

__all__ = [
    "convert_speech",
    "float_step",
    "mask_update",
    "prune",
    "prune_speech",
    "pruning_step",
    "quantize",
    "quantize_speech",
]
Case = Callable[[], Any]
Schedule = tuple[int, int, int]  # begin step, end step, frequency


def _network(name: str) -> Any:
    keras.utils.set_random_seed(0)
    options = labelled_workload.OPTIONS[name]
    return keras2_model(MODELS[name](*labelled_workload.SHAPES[name], **options))


def float_step(name: str) -> Case:
    """Wall-clock and CPU seconds of a float training step of Keras 2."""
    return _steps(_network(name), name, [])


def pruning_step(name: str, schedule: Schedule) -> Case:
    """Wall-clock and CPU seconds of a step with TFMOT's pruning wrapper: float weights, no int8."""
    begin, end, frequency = schedule
    decay = tfmot.sparsity.keras.PolynomialDecay(
        0.0, labelled_workload.SPARSITY, begin, end, frequency=frequency
    )
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(_network(name), pruning_schedule=decay)

    class Steps(tfmot.sparsity.keras.UpdatePruningStep):
        """TFMOT's callback, which every training with its wrapper needs; each round begins at the same step."""

        def on_train_begin(self, logs: Any = None) -> None:
            super().on_train_begin(logs)
            for layer in self.prunable_layers:
                layer.pruning_step.assign(labelled_workload.first_step(end))

    return _steps(wrapped, name, [Steps()])


def _steps(model: Any, name: str, callbacks: list[Any]) -> Case:
    features, labels = labelled_workload.examples(name)
    model.compile(tf_keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")

    def case() -> tuple[float, float]:
        times = []
        stamp = tf_keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: times.append(
                (time.perf_counter(), time.process_time())
            )
        )
        model.fit(
            features,
            labels,
            labelled_workload.BATCH,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[stamp, *callbacks],
        )
        wall, cpu = (
            (b - a) / labelled_workload.STEPS
            for a, b in zip(times[labelled_workload.WARM], times[-1], strict=True)
        )
        return wall, cpu

    return case


def mask_update(shapes: list[tuple[int, int]], structure: str) -> Case:
    """Wall-clock and CPU seconds of TFMOT's ``conditional_mask_update`` of Dense layers with these kernels."""
    begin, end, frequency = 0, 1000, 1
    settings: dict[str, dict[str, Any]] = {
        "weight": {},
        "block": {"block_size": (16, 16), "block_pooling_type": "AVG"},
        "2:4": {"sparsity_m_by_n": (2, 4)},
    }
    decay = tfmot.sparsity.keras.PolynomialDecay(
        0.0, labelled_workload.SPARSITY, begin, end, frequency=frequency
    )
    layers = []
    for inputs, outputs in shapes:
        dense = tf_keras.layers.Dense(outputs, input_shape=(inputs,))
        wrapper = tfmot.sparsity.keras.prune_low_magnitude(
            dense, pruning_schedule=decay, **settings[structure]
        )
        tf_keras.Sequential([wrapper])
        wrapper.pruning_step.assign(
            1 if structure == "2:4" else end // 2
        )  # 2:4 masks are made at step 1 only
        layers.append(wrapper)

    @tf.function
    def update() -> None:
        for layer in layers:
            layer.pruning_obj.conditional_mask_update()

    def case() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        update()
        _ = [layer.pruning_vars[0][1].numpy() for layer in layers]  # wait for the assignment
        return time.perf_counter() - wall, time.process_time() - cpu

    case()
    assert all((layer.pruning_vars[0][1].numpy() == 0).any() for layer in layers), (
        "TFMOT masked nothing"
    )
    return case
