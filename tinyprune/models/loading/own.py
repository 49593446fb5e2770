"""A user's own network: a ``.keras`` file, a legacy ``.h5``, or a function that builds it.

Importing this module imports neither TensorFlow nor Keras, so that a name can be told from a file
at no cost.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.config import MODEL_FILES
from tinyprune.errors import UsageError
from tinyprune.models.ends import with_names

if TYPE_CHECKING:
    import keras

EXPECTED = f"expected a file ({', '.join(MODEL_FILES)}) or package.module:function"

SAVED_MODEL = "saved_model.pb"  # in the folder of one
_PATH_MARK = re.compile(r"[:/\\]")
_KERAS2_MODEL = re.compile(r"tf_keras\..*\.Model")
_LONGEST_LINE = 200


def is_own(name: str) -> bool:
    """Return whether a name means a user's own model and not a registered one.

    It does if it is a model file, a path, the folder of a SavedModel or ``module:function``.
    """
    is_saved_model = (Path(name) / SAVED_MODEL).is_file()
    return is_saved_model or _is_model_file(name) or bool(_PATH_MARK.search(name))


def load(source: str, custom: tuple[str, ...] = (), weights: str | None = None) -> "keras.Model":
    """A user's own model, functional or Sequential; not compiled.

    Several inputs, or outputs, are in a dict: by the keys of the model's own dict, else by the
    names of the input layers, and of the layers that make the outputs.

    Args:
        source: a ``.keras`` file (of Keras 3 or 2), a legacy ``.h5`` or ``.hdf5`` with a whole
            model, the folder of a SavedModel of Keras 2, or ``package.module:function``, which is
            called without arguments; modules of the current folder can be imported.
        custom: modules that define layers or functions of the model; they are imported before it is
            loaded.
        weights: a file with the weights of the model; None: it has its own.

    A model of Keras 2 becomes one of Keras 3 with the same layer names, weights and outputs; one of
    half or mixed precision becomes one of float32. Raises UsageError, in one line, for everything
    that is no such model, and for weights that are NaN or infinite.
    """
    from tinyprune.models.loading import files, modules, precision

    with modules.importing_from_here():
        objects = modules.custom_objects(custom)
        if _is_model_file(source) or ":" not in source:
            model = files.from_file(Path(source), objects)
        else:
            model = modules.from_function(source)
        if weights is not None:
            files.load_weights(model, Path(weights), source)
        if _is_keras2(model):
            model = files.from_keras2(model, source, objects)
        return precision.in_float32(_checked(model, source), source, objects)


def first_line(error: BaseException | str) -> str:
    """The first line of a message that may be pages long."""
    lines = str(error).strip().splitlines()
    if not lines:
        return "no message"
    line = lines[0]
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _is_model_file(name: str) -> bool:
    return Path(name).suffix.lower() in MODEL_FILES


def _is_keras2(model: Any) -> bool:
    """Return whether this is a model of tf_keras, which is not imported for the question."""
    classes = [f"{base.__module__}.{base.__name__}" for base in type(model).__mro__]
    return any(map(_KERAS2_MODEL.fullmatch, classes))


def _checked(model: Any, source: str) -> "keras.Model":
    """The model, if its layers and their order are known; several inputs or outputs have names.

    Raises UsageError for any other model.
    """
    import keras

    from tinyprune.models.loading.bounds import check_activations

    if not isinstance(model, keras.Model):
        kind = type(model).__name__
        raise UsageError(f"{source} gives an object of type {kind}: expected a keras.Model")
    is_sequential = isinstance(model, keras.Sequential)
    if is_sequential and not model.built:
        raise UsageError(
            f"{source}: the Sequential model has no input shape: start it with keras.Input(shape)"
        )
    is_functional = hasattr(model, "operations")
    if not is_sequential and not is_functional:
        raise UsageError(
            f"{source}: {type(model).__name__} is a subclass of keras.Model: "
            "expected a functional or Sequential model"
        )
    try:
        check_activations(model)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    _check_finite(model, source)
    if is_sequential or not _has_nested_ends(model):
        return model
    return with_names(model)


def _check_finite(model: "keras.Model", source: str) -> None:
    """Raise UsageError, which names the weights, where one of them is NaN or infinite."""
    import numpy as np

    for weight in model.weights:
        values = np.asarray(weight)
        broken = int(np.count_nonzero(~np.isfinite(values)))
        if broken:
            raise UsageError(
                f"{source}: {broken} of {values.size} values of '{weight.path}' are NaN or "
                "infinite: expected finite weights; its training went wrong, save an earlier one"
            )


def _has_nested_ends(model: "keras.Model") -> bool:
    """Return whether the input or the output stands in a list or dict."""
    import keras

    ends = [model.input, model.output]
    return any(map(keras.tree.is_nested, ends))
