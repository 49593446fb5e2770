"""Model files: ``.keras`` of Keras 3 and 2, legacy ``.h5``. Whatever is wrong with one becomes one line."""

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from tinyprune.config import MODEL_FILES
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models import keras2
from tinyprune.models.own import EXPECTED, first_line

_UNKNOWN = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [\w ]+:|Could not interpret [\w ]+:|Could not find) '([^']+)'"
)


def from_file(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    """The model in a file, not compiled; ``objects``: custom layers and functions by name. Raises UsageError."""
    _check_place(path)
    try:
        if zipfile.is_zipfile(path):
            return _from_zip(path, objects)
        if h5py.is_hdf5(path):
            return _from_hdf5(path, objects)
    except TinypruneError as error:
        raise type(error)(f"{path}: {error}") from error
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UsageError(
            f"{path} cannot be read, it may be damaged or truncated: {first_line(error)}"
        ) from error
    except Exception as error:  # whatever Keras raises, often over many lines
        raise _load_error(path, error) from error
    raise UsageError(
        f"{path} is no Keras model: neither a .keras file nor HDF5; is it damaged or truncated?"
    )


def from_keras2(model: Any, source: str, objects: Mapping[str, Any]) -> keras.Model:
    """The Keras 3 model of a ``tf_keras`` model that ``source`` gave. Raises UsageError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        try:
            model.save(path, include_optimizer=False)
            return _from_hdf5(path, objects)
        except TinypruneError as error:
            raise type(error)(f"{source}: {error}") from error
        except Exception as error:  # Keras 2 on saving, or Keras 3 on loading
            raise _load_error(Path(source), error) from error


def _check_place(path: Path) -> None:
    if (path / "saved_model.pb").exists():
        raise UsageError(f"{path} is a SavedModel, which holds no layers: save the model as .keras")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: {EXPECTED}")
    if path.suffix.lower() not in MODEL_FILES:
        raise UsageError(f"'{path}' is no model: {EXPECTED}")
    if not path.exists():
        raise UsageError(f"there is no file {path}: {EXPECTED}")


def _from_zip(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    with zipfile.ZipFile(path) as archive:
        missing = {"metadata.json", "config.json", "model.weights.h5"} - set(archive.namelist())
        if missing:
            raise UsageError(f"no Keras model: it contains no {' and no '.join(sorted(missing))}")
        version, config = (
            json.loads(archive.read(f"{name}.json")) for name in ("metadata", "config")
        )
        _refuse_code(config)
        with tempfile.TemporaryDirectory() as folder:
            if not _made_by_keras2(version.get("keras_version")):
                return keras.models.load_model(
                    _named(path, ".keras", folder), objects, compile=False
                )
            return keras2.load(config, Path(archive.extract("model.weights.h5", folder)), objects)


def _from_hdf5(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    with h5py.File(path) as file:
        version, config = (file.attrs.get(name) for name in ("keras_version", "model_config"))
        weights_only = "layer_names" in file.attrs or {
            "layers",
            "vars",
            "_layer_checkpoint_dependencies",
        } & set(file)
    if config is None and weights_only:
        raise UsageError(
            "weights only: save the whole model, or give the network as package.module:function"
        )
    if config is None:
        raise UsageError("HDF5, but no Keras model: it has no model_config")
    config = json.loads(config)
    _refuse_code(config)
    with tempfile.TemporaryDirectory() as folder:
        named = _named(path, ".h5", folder)
        if _made_by_keras2(version):
            return keras2.load(config, named, objects)
        return keras.models.load_model(named, objects, compile=False)


def _made_by_keras2(version: Any) -> bool:
    """By the version that a file names: text, bytes or None, which is older than any."""
    text = version.decode() if isinstance(version, bytes) else str(version or "1")
    return int(text.partition(".")[0]) < 3


def _named(path: Path, suffix: str, folder: str) -> Path:
    """The file under a name that ends as Keras wants it: before Keras 2.12, ``.keras`` was HDF5."""
    if path.suffix == suffix and not path.name.endswith(".weights.h5"):
        return path
    return Path(shutil.copy(path, Path(folder) / f"model{suffix}"))


def _refuse_code(config: Any) -> None:
    """Raises UsageError for a Lambda layer that holds Python bytecode: loading it would run what the file says."""
    if isinstance(config, list):
        for each in config:
            _refuse_code(each)
    if not isinstance(config, dict):
        return
    inner = config.get("config")
    if config.get("class_name") == "Lambda" and isinstance(inner, dict):
        function = inner.get("function")
        if isinstance(function, list) or (
            isinstance(function, dict) and function.get("class_name") == "__lambda__"
        ):
            raise UsageError(
                f"layer '{inner.get('name')}' is a Lambda, code that would run unseen: give the model as "
                "package.module:function"
            )
    for each in config.values():
        _refuse_code(each)


def _load_error(path: Path, error: Exception) -> UsageError:
    """One line for what Keras says in many."""
    text = str(error)
    unknown = _UNKNOWN.search(text)
    if unknown:
        name = unknown.group(1).rpartition(">")[2]
        return UsageError(
            f"{path} uses '{name}', which Keras does not know: add --custom package.module that defines it"
        )
    cause = text.rpartition("Exception encountered:")[2].strip() or text
    return UsageError(f"{path} cannot be loaded: {first_line(cause)}")
