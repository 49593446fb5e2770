"""How much a model file may take, and where it may point: known before anything is loaded."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import PurePosixPath
from typing import Any

import h5py
import keras

from tinyprune.errors import UsageError
from tinyprune.storage.reading import LARGEST_NETWORK, LARGEST_TEXT, MIB, check_size

_WEIGHTS = ".h5"
_BYTES_PER_NUMBER = 4  # of float32
#: The most bytes of what the layers of a network make of one example.
LARGEST_ACTIVATIONS = 1024 * MIB
_MOST_OBJECTS = 100_000


def check_archive(archive: zipfile.ZipFile) -> None:
    """Raise UsageError for a ``.keras`` file that is larger than it looks, or points outside.

    The size that a member is said to have is the most that is ever read of it.
    """
    members = archive.infolist()
    check_size("what it holds", sum(member.file_size for member in members), LARGEST_NETWORK)
    for member in members:
        place = PurePosixPath(member.filename)
        if place.is_absolute() or ".." in place.parts:
            raise UsageError(f"no Keras model: '{member.filename}' in it would be written outside")
        if place.suffix == ".json":
            check_size(f"'{place}' in it", member.file_size, LARGEST_TEXT)
        if place.suffix == _WEIGHTS:
            check_hdf5(io.BytesIO(archive.read(member)))


def check_hdf5(place: Any) -> None:
    """Raise UsageError for HDF5 that is larger than it looks, or reads other files.

    HDF5 can have its numbers in any other file, as a link or as the storage of an array.

    Args:
        place: path, or the file in memory.
    """
    size = 0
    seen = set[int]()
    with h5py.File(place) as file:
        waiting: list[Any] = [file]
        while waiting:
            for name, found in _members(waiting.pop()):
                address = h5py.h5o.get_info(found.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if isinstance(found, h5py.Dataset):
                    _check_inside(found, name)
                    size += prod(found.shape or ()) * found.dtype.itemsize
                elif isinstance(found, h5py.Group):
                    waiting.append(found)
                if len(seen) > _MOST_OBJECTS:
                    raise UsageError(f"it has more than {_MOST_OBJECTS:,} arrays and groups")
    check_size("what it holds", size, LARGEST_NETWORK)


@contextmanager
def bounded_weights(layer_class: Any) -> Iterator[None]:
    """Let layers refuse to make more weights than a network may have, before they take memory.

    ``layer_class``: ``Layer`` of Keras 3 or of ``tf_keras``.
    """
    make = layer_class.add_weight
    made = 0

    def bounded(layer: Any, *arguments: Any, **settings: Any) -> Any:
        nonlocal made
        made += _BYTES_PER_NUMBER * prod(_shape(arguments, settings))
        check_size(f"with layer '{layer.name}' the network", made, LARGEST_NETWORK)
        return make(layer, *arguments, **settings)

    layer_class.add_weight = bounded
    try:
        yield
    finally:
        layer_class.add_weight = make


def check_activations(model: Any) -> None:
    """Raise UsageError where one example makes more numbers in a model than there is memory for.

    ``model``: functional or Sequential, of Keras 3. An axis of unknown length counts as one.
    """
    size = 0
    for name, shape in _outputs(model):
        size += _BYTES_PER_NUMBER * prod(length or 1 for length in shape)
        if size > LARGEST_ACTIVATIONS:
            lengths = "x".join("?" if length is None else f"{length}" for length in shape)
            raise UsageError(
                f"layer '{name}' makes {lengths}: the layers take more than "
                f"{LARGEST_ACTIVATIONS // MIB:,} MiB for one example"
            )


def _outputs(model: Any) -> Iterator[tuple[str, tuple[int | None, ...]]]:
    """Yield layer and shape of everything that a model makes, nested models too."""
    for operation in getattr(model, "operations", ()) or model.layers:
        if hasattr(operation, "layers"):
            yield from _outputs(operation)
            continue
        for tensor in keras.tree.flatten(operation.output):
            yield operation.name, tensor.shape


def _members(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a group holds by name. Raises UsageError for a link to another file."""
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise UsageError(f"'{group.name}/{name}' is a link to another file")
        found = group.get(name)
        if found is not None:  # a link to nothing
            yield f"{group.name}/{name}", found


def _check_inside(array: Any, name: str) -> None:
    """Raise UsageError for an array whose numbers are in another file."""
    if array.external or array.is_virtual:
        raise UsageError(f"the numbers of '{name}' are in another file")


def _shape(arguments: tuple[Any, ...], settings: dict[str, Any]) -> list[int]:
    """Return the shape of a weight, of Keras 3 or 2, whose first argument is its shape or name."""
    for value in (settings.get("shape"), *arguments[:2]):
        if isinstance(value, list | tuple):
            return [int(size) for size in value]
        if isinstance(value, int):
            return [value]
    return []
