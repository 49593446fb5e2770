"""Model files: ``.keras`` of Keras 3 and 2, legacy ``.h5``, SavedModel folders of Keras 2.

Any error becomes one line.
"""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from tinyprune.config import MODEL_FILES
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.models.loading import keras2, tfmot
from tinyprune.models.loading.bounds import bounded_weights, check_archive, check_hdf5
from tinyprune.models.loading.own import EXPECTED, first_line
from tinyprune.storage.reading import LARGEST_NETWORK, check_file, parse_table

#: What Keras says of a name that it does not know.
_UNKNOWN = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [\w ]+:|Could not interpret [\w ]+:"
    r"|Could not find) '([^']+)'"
)
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
    is_saved_model = (path / tfmot.LAYERS_OF_SAVED_MODEL).is_file()
    if not is_saved_model:
        _check_place(path)
    try:
        with bounded_weights(keras.layers.Layer):
            if is_saved_model:
                return from_keras2(tfmot.from_saved_model(path, objects), str(path), objects)
            if zipfile.is_zipfile(path):
                return _from_zip(path, objects)
            if h5py.is_hdf5(path):
                return _from_hdf5(path, objects)
    except TinypruneError as error:
        raise type(error)(f"{path}: {error}") from error
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
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
    if not path.exists():
        raise UsageError(f"there is no file {path}: expected weights of {source}")
    check_file(path, LARGEST_NETWORK, f"expected weights of {source}")
    try:
        _check_weights(path)
        model.load_weights(str(path))
    except TinypruneError as error:
        raise type(error)(f"{path}: {error}") from error
    except Exception as error:  # whatever Keras raises, often over many lines
        raise UsageError(
            f"the weights in {path} do not fit {source}: {first_line(error)}"
        ) from error


def _check_weights(path: Path) -> None:
    """Raise UsageError for a file of weights that is larger than it looks or points outside."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
    elif h5py.is_hdf5(path):
        check_hdf5(path)


def _check_place(path: Path) -> None:
    if (path / "saved_model.pb").exists():
        raise UsageError(
            f"{path} is a SavedModel without {tfmot.LAYERS_OF_SAVED_MODEL}, "
            "so that it holds no layers: "
            "save the model as .keras, or prune its int8 .tflite --offline"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder: {EXPECTED}")
    if path.suffix.lower() not in MODEL_FILES:
        raise UsageError(f"'{path}' is no model: {EXPECTED}")
    if not path.exists():
        raise UsageError(f"there is no file {path}: {EXPECTED}")
    check_file(path, LARGEST_NETWORK, EXPECTED)


def _from_zip(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        missing = _ZIP_MEMBERS - set(archive.namelist())
        if missing:
            raise UsageError(f"no Keras model: it contains no {' and no '.join(sorted(missing))}")
        check_archive(archive)
        metadata = _metadata(archive)
        config = tfmot.vetted(archive.read("config.json"), objects)
        if tfmot.is_wrapped(config):
            return _unwrapped(_named(path, ".keras", folder), objects)
        if _made_by_keras2(metadata.get("keras_version")):
            weights = Path(archive.extract("model.weights.h5", folder))
            return keras2.load(config, weights, objects)
        return keras.models.load_model(_named(path, ".keras", folder), objects, compile=False)


def _metadata(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return what a ``.keras`` file says of the program that made it. Raises UsageError."""
    try:
        return parse_table(archive.read("metadata.json"))
    except ValueError as error:
        raise UsageError(f"metadata.json in it is damaged: {error}") from error


def _from_hdf5(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    check_hdf5(path)
    with h5py.File(path) as file:
        version = file.attrs.get("keras_version")
        text = file.attrs.get("model_config")
        has_weights_only = "layer_names" in file.attrs or bool(_WEIGHT_GROUPS & set(file))
    if text is None and has_weights_only:
        raise UsageError(
            "weights only: save the whole model, or give the network as package.module:function "
            "and this file as --weights"
        )
    if not isinstance(text, str | bytes):
        raise UsageError("HDF5, but no Keras model: it has no model_config")
    config = tfmot.vetted(text, objects)
    with tempfile.TemporaryDirectory() as folder:
        named = _named(path, ".h5", folder)
        if tfmot.is_wrapped(config):
            return _unwrapped(named, objects)
        if _made_by_keras2(version):
            return keras2.load(config, named, objects)
        return keras.models.load_model(named, objects, compile=False)


def _unwrapped(path: Path, objects: Mapping[str, Any]) -> keras.Model:
    """The model of Keras 2 in a file, without wrappers of TFMOT around its layers."""
    return from_keras2(tfmot.unwrapped(path, objects), "as a model of Keras 2", objects)


def _made_by_keras2(version: Any) -> bool:
    """Return whether Keras 2 or older made a file.

    Args:
        version: that the file names, text or bytes; None in files of the oldest versions.

    Raises UsageError for what is no version.
    """
    text = version.decode(errors="replace") if isinstance(version, bytes) else str(version or "1")
    major, _, _ = text.partition(".")
    if not major.isdecimal() or len(major) > 3:
        raise UsageError(f"it names no version of Keras that made it, but {text[:20]!r}")
    return int(major) < 3


def _named(path: Path, suffix: str, folder: str) -> Path:
    """The file under a name that ends as Keras wants it: before Keras 2.12, ``.keras`` was HDF5."""
    if path.suffix == suffix and not path.name.endswith(".weights.h5"):
        return path
    return Path(shutil.copy(path, Path(folder) / f"model{suffix}"))


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
