"""The network of a variant on disk: the same bytes wherever the weights are the same."""

import json
import zipfile
from pathlib import Path

import keras

from tinyprune.storage.records import write_json
from tinyprune.storage.writing import writing

_METADATA = "metadata.json"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that an archive can say


def save_network(model: keras.Model, folder: Path) -> list[str]:
    """Save a plain model and its number of parameters. Returns the names of the files it made."""
    with writing(folder / "model.keras") as part:
        model.save(part)
        without_times(part)
    write_json(folder / "size.json", model.count_params())
    return ["model.keras", "size.json"]


def without_times(path: Path) -> None:
    """Write a ``.keras`` archive anew without the time at which it was made."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(contents[_METADATA])
    metadata.pop("date_saved", None)
    contents[_METADATA] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content)
