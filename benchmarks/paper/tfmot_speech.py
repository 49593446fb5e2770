"""The row of TFMOT: its pruning of the speech network in Keras 2, then post-training int8, as its QAT takes no LSTM."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.keras2.client import Keras2
from benchmarks.shared.report import Unavailable
from tinyprune.config import PruneConfig, to_mapping
from tinyprune.stages.export import ensure_exported
from tinyprune.stages.run import Run
from tinyprune.storage.records import write_json
from tinyprune.storage.run_folder import Variant
from tinyprune.storage.writing import writing

RATE = 4e-3  # as our own prunings have it


def prune(run: Run, config: PruneConfig) -> tuple[Variant, list[str]]:
    """The variant of TFMOT's weights, and what its other stages say to this network."""
    variant = run.space.variant(config.variant)
    with variant.claimed(
        {"tfmot": config, "base_sha256": run.baseline.output_sha256("train", "model.keras")}
    ):
        if not variant.is_done("train"):
            variant.finish("train", {}, _trained(run, config, variant.folder))
    ensure_exported(run, variant)
    return variant, _said(run, variant.folder)


def _trained(run: Run, config: PruneConfig, folder: Path) -> list[str]:
    """The files of its training: the network as plain Keras 3 with TFMOT's weights."""
    import keras

    weights, recipe = folder / "tfmot.npz", to_mapping(run.recipe)
    with Keras2() as worker:
        scores = worker.ask(
            "prune_speech",
            baseline=_baseline(run),
            data=_given(recipe["data"]),
            train=_given(recipe["train"]),
            cache=str(run.space.data.resolve()),
            frontend=str((run.baseline.folder / "frontend.json").resolve()),
            weights=str(weights.resolve()),
            rate=config.learning_rate or RATE,
            epochs=config.epochs,
            sparsity=config.final_sparsity,
            seed=config.seed,
        )
    model = keras.models.load_model(run.baseline.folder / "model.keras", compile=False)
    with np.load(weights) as arrays:
        for layer in model.layers:
            layer.set_weights(
                [arrays[f"{layer.name}:{number}"] for number in range(len(layer.weights))]
            )
    with writing(folder / "model.keras") as part:
        model.save(part)
    write_json(folder / "size.json", model.count_params())
    write_json(folder / "scores.json", scores)
    return ["model.keras", "size.json", "scores.json"]


def _said(run: Run, folder: Path) -> list[str]:
    """Its QAT and its converter, each in a process that may die of it."""
    notes = [
        "pruned by TFMOT in Keras 2 with our batches, loss and schedule, then int8 after training by our export"
    ]
    answer = _ask("quantize_speech", baseline=_baseline(run))
    notes.append(f"TFMOT's quantization-aware training of this network: {answer or 'taken'}")
    features = folder / "calibration.npy"
    np.save(features, run.task.calibration())
    answer = _ask(
        "convert_speech", baseline=_baseline(run), features=str(features.resolve()), frames=1
    )
    made = ", ".join(answer) if isinstance(answer, list) else answer
    return [*notes, f"TensorFlow's int8 converter on the Keras 2 network: {made}"]


def _ask(case: str, **arguments: Any) -> Any:
    try:
        with Keras2() as worker:
            return worker.ask(case, **arguments)
    except Unavailable as error:
        return str(error)


def _baseline(run: Run) -> str:
    return str((run.baseline.folder / "model.keras").resolve())


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}
