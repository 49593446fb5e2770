"""The extras of the package: which packages come with which, and the line that installs them.

``pip install tinyprune`` brings what finished files need: compiling, comparing, reports, enhancing,
C sources. Everything that trains comes with ``tinyprune[train]``.
"""

import importlib.util

from tinyprune.errors import UsageError

TRAIN = "train"
#: Extra -> its packages, as Python imports them.
EXTRAS: dict[str, tuple[str, ...]] = {
    TRAIN: (
        "keras",
        "tensorflow",
        "tensorflow_model_optimization",
        "tf_keras",
        "espeakng_loader",
        "fast_bss_eval",
        "h5py",
        "matplotlib",
        "PIL",
        "pystoi",
        "scipy",
    ),
    "device": ("tflite_micro",),
    "pesq": ("pesq",),
    "live": ("sounddevice",),
    "rooms": ("pyroomacoustics",),
    "sweep": ("optuna",),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
#: What a training cannot do without, whatever it learns.
_FRAMEWORK = ("keras", "tensorflow")


def install_line(extra: str) -> str:
    """Return the line to type for an extra."""
    return f'pip install "tinyprune[{extra}]"'


def extra_of(package: str) -> str | None:
    """Return the extra that a package comes with; None for one that comes with none."""
    for extra, packages in EXTRAS.items():
        if package in packages:
            return extra
    return None


def is_installed(package: str) -> bool:
    """Return whether a package is there, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it is loaded, and made by something else than an import
        return True


def missing(package: str, who: str, otherwise: str = "") -> UsageError:
    """Return the error for a package of an extra that is not installed.

    Args:
        package: as Python imports it.
        who: what needs it, in the singular: "--live".
        otherwise: what else can be done: "or leave it out".
    """
    extra = extra_of(package)
    assert extra is not None, f"{package} comes with no extra"
    line = f"{who} needs {package}, which is not installed: {install_line(extra)}"
    return UsageError(f"{line}, {otherwise}" if otherwise else line)


def require(package: str, who: str, otherwise: str = "") -> None:
    """Raise what :func:`missing` returns where a package is not installed."""
    if not is_installed(package):
        raise missing(package, who, otherwise)


def can_train() -> bool:
    """Return whether what every training needs is installed."""
    return all(map(is_installed, _FRAMEWORK))


def require_training(who: str) -> None:
    """Raise UsageError, before anything is done, where there is nothing to train with."""
    for package in _FRAMEWORK:
        require(package, who)
