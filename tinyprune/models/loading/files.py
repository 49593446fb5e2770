"""Model files: ``.keras`` of Keras 3 and 2, legacy ``.h5``, SavedModel folders of Keras 2.

Any error becomes one line.
"""

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
from tinyprune.models.loading import keras2, tfmot
from tinyprune.models.loading.own import EXPECTED, first_line

#: What Keras says of a name that it does not know.
_UNKNOWN = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [\w ]+:|Could not interpret [\w ]+:"
    r"|Could not find) '([^']+)'"
)
#: File of a SavedModel, a folder, in which Keras 2 keeps the layers.
_LAYERS_OF_SAVED_MODEL = "keras_metadata.pb"
_ZIP_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
#: Groups of HDF5 files that hold weights only, of Keras 3 and of checkpoints.
_WEIGHT_GROUPS = {"layers", "vars", "_layer_checkpoint_dependencies"}


def from_file(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    """The model in a file or a SavedModel, not compiled.

    Args:
        path: the file, or the folder of the SavedModel.
        objects: custom layers and functions by name.

    Raises UsageError.
    """
    is_saved_model = (path / _LAYERS_OF_SAVED_MODEL).is_file()
    if not is_saved_model:
        _check_place(path)
    try:
        if is_saved_model:
            _check_code(path / _LAYERS_OF_SAVED_MODEL)
            return _unwrapped(path, objects)
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


def load_weights(model: Any, path: Path, source: str) -> None:
    """Load the weights of a built model, of Keras 3 or 2, in place.

    Args:
        model: a ``keras.Model`` or a model of ``tf_keras``.
        path: weights of Keras 3 or 2, or a whole model of the same layers.
        source: of the model, for messages.

    Raises UsageError where the file cannot be read, or does not fit the model.
    """
    if path.suffix.lower() not in MODEL_FILES:
        raise UsageError(f"'{path}' holds no weights: expected a file ({', '.join(MODEL_FILES)})")
    if not path.is_file():
        raise UsageError(f"there is no file {path}: expected weights of {source}")
    try:
        model.load_weights(str(path))
    except Exception as error:  # whatever Keras raises, often over many lines
        raise UsageError(
            f"the weights in {path} do not fit {source}: {first_line(error)}"
        ) from error


def _check_place(path: Path) -> None:
    if (path / "saved_model.pb").exists():
        raise UsageError(
            f"{path} is a SavedModel without {_LAYERS_OF_SAVED_MODEL}, so that it holds no layers: "
            "save the model as .keras, or prune its int8 .tflite --offline"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder: {EXPECTED}")
    if path.suffix.lower() not in MODEL_FILES:
        raise UsageError(f"'{path}' is no model: {EXPECTED}")
    if not path.exists():
        raise UsageError(f"there is no file {path}: {EXPECTED}")


def _from_zip(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        missing = _ZIP_MEMBERS - set(archive.namelist())
        if missing:
            raise UsageError(f"no Keras model: it contains no {' and no '.join(sorted(missing))}")
        metadata = json.loads(archive.read("metadata.json"))
        config = _without_code(archive.read("config.json"))
        if tfmot.is_wrapped(config):
            return _unwrapped(_named(path, ".keras", folder), objects)
        if _made_by_keras2(metadata.get("keras_version")):
            weights = Path(archive.extract("model.weights.h5", folder))
            return keras2.load(config, weights, objects)
        return keras.models.load_model(_named(path, ".keras", folder), objects, compile=False)


def _from_hdf5(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    with h5py.File(path) as file:
        version = file.attrs.get("keras_version")
        text = file.attrs.get("model_config")
        has_weights_only = "layer_names" in file.attrs or bool(_WEIGHT_GROUPS & set(file))
    if text is None and has_weights_only:
        raise UsageError(
            "weights only: save the whole model, or give the network as package.module:function "
            "and this file as --weights"
        )
    if text is None:
        raise UsageError("HDF5, but no Keras model: it has no model_config")
    config = _without_code(text)
    with tempfile.TemporaryDirectory() as folder:
        named = _named(path, ".h5", folder)
        if tfmot.is_wrapped(config):
            return _unwrapped(named, objects)
        if _made_by_keras2(version):
            return keras2.load(config, named, objects)
        return keras.models.load_model(named, objects, compile=False)


def _unwrapped(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    """The model of Keras 2 in a file or folder, without wrappers of TFMOT around its layers."""
    return from_keras2(tfmot.unwrapped(path, objects), "as a model of Keras 2", objects)


def _made_by_keras2(version: Any) -> bool:
    """Return whether Keras 2 or older made a file.

    Args:
        version: that the file names, text or bytes; None in files of the oldest versions.
    """
    text = version.decode() if isinstance(version, bytes) else str(version or "1")
    major, _, _ = text.partition(".")
    return int(major) < 3


def _named(path: Path, suffix: str, folder: str) -> Path:
    """The file under a name that ends as Keras wants it: before Keras 2.12, ``.keras`` was HDF5."""
    if path.suffix == suffix and not path.name.endswith(".weights.h5"):
        return path
    return Path(shutil.copy(path, Path(folder) / f"model{suffix}"))


def _check_code(layers: Path) -> None:
    """Raise UsageError for a SavedModel whose layers hold Python bytecode."""
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString(layers.read_bytes())
    for node in metadata.nodes:
        _without_code(node.metadata or "{}")


def _without_code(text: str | bytes) -> Any:
    """Return a configuration of JSON.

    Raises UsageError for a Lambda layer that holds Python bytecode: loading it would run that.
    """
    return json.loads(text, object_hook=_checked_layer)


def _checked_layer(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of a configuration. Raises UsageError for a Lambda layer with bytecode."""
    settings: Any = table.get("config")
    is_lambda = table.get("class_name") == "Lambda" and isinstance(settings, dict)
    if is_lambda and _is_code(settings.get("function")):
        raise UsageError(
            f"layer '{settings.get('name')}' is a Lambda, code that would run unseen: "
            "give the model as package.module:function"
        )
    return table


def _is_code(function: Any) -> bool:
    """Return whether the function of a Lambda is bytecode, as Keras 2 or Keras 3 writes it."""
    if isinstance(function, dict):
        return function.get("class_name") == "__lambda__"
    return isinstance(function, list)


def _load_error(path: Path, error: Exception) -> UsageError:
    """One line for what Keras says in many."""
    text = str(error)
    unknown = _UNKNOWN.search(text)
    if unknown:
        _, _, name = unknown.group(1).rpartition(">")
        return UsageError(
            f"{path} uses '{name}', which Keras does not know: "
            "add --custom package.module that defines it"
        )
    _, _, cause = text.rpartition("Exception encountered:")
    return UsageError(f"{path} cannot be loaded: {first_line(cause.strip() or text)}")
