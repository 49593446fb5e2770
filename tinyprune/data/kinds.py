"""What lies at a path: which data set reads it, told by names and headers. Nothing is decoded."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.audio import files as audio
from tinyprune.data.anomaly.files import LAYOUT as MACHINES
from tinyprune.data.class_folders import SPLIT_FOLDERS
from tinyprune.data.corpora.layouts import dataset_of
from tinyprune.data.images.arrays import is_cifar
from tinyprune.data.images.folders import SUFFIXES as PICTURES
from tinyprune.data.npz import load_npz
from tinyprune.errors import UsageError
from tinyprune.storage.listing import list_files

#: A spoken word is shorter, in seconds.
LONGEST_WORD = 3.0
_LOOKED_AT = 5  # recordings whose headers are read
_CHANNELS = (1, 3, 4)  # of pictures
_SPEECH = "for a denoiser give --speech DIR and --noise DIR, or --noisy and --clean"
_EXPECTED = (
    "expected a file of arrays (.npz, .npy), folders CLASS/*.png or WORD/*.wav, CIFAR-10's "
    f"batches, {MACHINES}, or a corpus of speech"
)


@dataclass(frozen=True)
class FoundData:
    """A data set that reads what lies at a path.

    Attributes:
        dataset: its name in registry.DATASETS.
        reason: what was found there, in words.
        is_corpus: whether it is a corpus of speech, which its names tell without a doubt.
    """

    dataset: str
    reason: str
    is_corpus: bool = False


def data_at(path: Path) -> FoundData:
    """Return the data set of a file or a folder.

    Raises UsageError where nothing is there that a data set reads, or where it may be two things.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist: {_EXPECTED}")
    if path.suffix.lower() in (".npz", ".npy"):
        return _arrays(path)
    corpus = dataset_of(path)
    if corpus:
        return FoundData(corpus, "a corpus of speech", is_corpus=True)
    found = _folder(path) if path.is_dir() else None
    if found is None:
        raise UsageError(f"{path}: {_nearest(path)}{_EXPECTED}")
    return found


def _arrays(path: Path) -> FoundData:
    """Return "images" for pictures with a label each, else "arrays"."""
    if path.suffix.lower() == ".npz" and _are_pictures(load_npz(path)):
        return FoundData("images", "pictures in bytes, with a label each")
    return FoundData("arrays", "arrays")


def _are_pictures(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether arrays are bytes (n, height, width[, channels]) with labels (n,) or (n, 1)."""
    pixels = arrays.get("x_train")
    labels = arrays.get("y_train")
    if pixels is None or labels is None:
        return False
    has_channels = pixels.ndim == 4 and pixels.shape[-1] in _CHANNELS
    has_pixels = pixels.dtype == np.uint8 and (pixels.ndim == 3 or has_channels)
    return has_pixels and labels.dtype.kind in "iuUS" and labels.size == len(pixels)


def _folder(folder: Path) -> FoundData | None:
    """Return the data set of a folder that is no corpus of speech; None for none."""
    if is_cifar(folder):
        return FoundData("images", "CIFAR-10's batches")
    if _has_machines(folder):
        return FoundData("anomaly", MACHINES)
    root = _training_folder(folder)
    if any(list_files(classes, PICTURES) for classes in _folders_in(root)):
        return FoundData("images", "folders CLASS/*.png")
    recordings = [list_files(words, audio.SUFFIXES) for words in _folders_in(root)]
    firsts = list(itertools.chain.from_iterable(files[:1] for files in recordings))
    if len(firsts) < 2:
        return None
    _check_words(folder, firsts[:_LOOKED_AT])
    return FoundData("keywords", "folders WORD/*.wav")


def _has_machines(folder: Path) -> bool:
    """Return whether a folder holds normal sounds of machines to train on."""
    return any(folder.glob("train/normal*")) or any(folder.glob("*/train/normal*"))


def _training_folder(folder: Path) -> Path:
    """Return the folder of the training split, where there is one, else the folder itself."""
    for name in SPLIT_FOLDERS["train"]:
        if (folder / name).is_dir():
            return folder / name
    return folder


def _folders_in(root: Path) -> list[Path]:
    """Return the folders of a folder that may be classes, sorted."""
    folders = [path for path in root.iterdir() if path.is_dir()]
    return sorted(path for path in folders if not path.name.startswith((".", "_")))


def _check_words(folder: Path, recordings: list[Path]) -> None:
    """Raise UsageError for recordings that are longer than a word."""
    for path in recordings:
        header = audio.read_header(path)
        seconds = header.frames / header.sample_rate
        if seconds > LONGEST_WORD:
            raise UsageError(
                f"{folder}: {path.name} in it has {seconds:.1f} s, and a keyword less than "
                f"{LONGEST_WORD:g}: {_SPEECH}, for keywords --data keywords"
            )


def _nearest(path: Path) -> str:
    """Return what may be meant in place of a folder that nothing reads."""
    if not path.is_dir():
        return ""
    inside = sorted([*path.glob("*.npz"), *path.glob("*.npy")])
    if inside:
        return f"did you mean {inside[0]}? "
    if list_files(path, audio.SUFFIXES):
        return f"audio of unknown kind: {_SPEECH}, or "
    return ""
