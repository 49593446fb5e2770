"""The network of a variant on disk."""

from pathlib import Path

import keras

from tinyprune.storage.records import write_json
from tinyprune.storage.writing import writing


def save_network(model: keras.Model, folder: Path) -> list[str]:
    """Save a plain model and its number of parameters. Returns the names of the files it made."""
    with writing(folder / "model.keras") as part:
        model.save(part)
    write_json(folder / "size.json", model.count_params())
    return ["model.keras", "size.json"]
