"""What kind of corpus is at a path, and its files per split. Nothing is decoded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tinyprune.audio.files import SUFFIXES
from tinyprune.config import DataConfig
from tinyprune.data.class_folders import SPLIT_FOLDERS
from tinyprune.data.corpora import known as known_corpora
from tinyprune.data.corpora import manifest
from tinyprune.data.corpora.corpus import Corpus, Part, files_in
from tinyprune.data.speech import pair_store
from tinyprune.errors import UsageError

PAIRED, MIXTURE = ("noisy", "clean"), ("speech", "noise")
Splits = dict[str, Part]


@dataclass(frozen=True)
class Layout:
    """A way in which corpora are laid out.

    Attributes:
        name: of the corpus, or of its form. what: how to tell it, in words.
        dataset: the data set that uses it (registry.DATASETS), or "" for audio of unknown kind.
        fits: whether a path has it, by looking at names only. read: the splits of such a path.
    """

    name: str
    what: str
    dataset: str
    fits: Callable[[Path], bool]
    read: Callable[[Path], Splits]


def recognise(path: Path) -> Corpus:
    """The corpus at a path: a folder in one of the layouts, or a CSV manifest.

    Raises UsageError that lists the layouts if it is none of them, or if files that it needs are
    missing.
    """
    layout = _layout(path)
    splits = layout.read(path)
    order = [split for split in (*SPLIT_FOLDERS, "all") if split in splits]
    return Corpus(layout.name, path, layout.dataset, {split: splits[split] for split in order})


def dataset_of(path: Path) -> str:
    """The data set that a corpus of speech is for, "paired" or "mixture"; "" for anything else. Lists no files."""
    return next((layout.dataset for layout in LAYOUTS if layout.fits(path)), "")


def of_folders(noisy: Path, clean: Path) -> Corpus:
    """The corpus of two folders of files with the same names. Raises UsageError if nothing matches."""
    return Corpus("noisy and clean", noisy, "paired", {"all": pair_store.match(noisy, clean)})


def _layout(path: Path) -> Layout:
    found = next((layout for layout in LAYOUTS if layout.fits(path)), None)
    if found is None:
        problem = "is no known corpus" if path.exists() else "does not exist"
        known = "; ".join(f"{layout.name} ({layout.what})" for layout in LAYOUTS)
        raise UsageError(f"{path} {problem}: expected one of: {known}")
    return found


def splits_of(
    config: DataConfig, dataset: str, kinds: tuple[str, str], read: Callable[[Path, Path], Part]
) -> Splits:
    """The splits that a configuration asks for: those of the corpus at ``path``, or of the folders that it names.

    Raises UsageError for a corpus of another data set, or where one of two folders is missing.

    Args:
        config: of the data. dataset: the name of the data set.
        kinds: the fields that name the two folders of a split. read: the split that two folders
            are.
    """
    if config.path is not None:
        corpus = recognise(Path(config.path))
        if corpus.dataset != dataset or "train" not in corpus.splits:
            known = (
                f'for data.name = "{corpus.dataset}"'
                if corpus.dataset not in ("", dataset)
                else "without training data"
            )
            raise UsageError(
                f"{config.path} is a corpus ({corpus.layout}) {known}: the {dataset} data cannot use it"
            )
        return corpus.splits
    splits = {}
    for split in ("train", "dev", "test"):
        names = [kind if split == "train" else f"{split}_{kind}" for kind in kinds]
        folders = [getattr(config, name) for name in names]
        if all(folders):
            splits[split] = read(Path(folders[0]), Path(folders[1]))
        elif any(folders) or split == "train":
            raise UsageError(_incomplete(split, dataset, names))
    return splits


def _incomplete(split: str, dataset: str, names: list[str]) -> str:
    """What to say where a folder is missing."""
    first, second = (f"--{name.replace('_', '-')}" for name in names)
    if split == "train":
        return f"the {dataset} data need two folders: give {first} DIR and {second} DIR"
    return f"{first} and {second} go together: give both or none"


# --- manifests
# --------------------------------------------------------------------------------------------------------


def _manifest(path: Path) -> Path:
    """The manifest itself, also of a folder that has one."""
    return path / manifest.NAME if path.is_dir() else path


def _is_manifest(dataset: str, path: Path) -> bool:
    file = _manifest(path)
    return file.suffix.lower() == ".csv" and manifest.dataset(file) == dataset


def _read_manifest(path: Path) -> Splits:
    return manifest.read(_manifest(path))


# --- plain folders
# ----------------------------------------------------------------------------------------------------


def _places(root: Path, names: tuple[str, ...]) -> dict[str, list[Path]]:
    """The folders of these names per split: ``train/noisy`` or ``noisy/train``; without those all is for training."""
    found = {}
    for split, aliases in SPLIT_FOLDERS.items():
        ways = [
            folders
            for alias in aliases
            for folders in _ways(root, names, alias)
            if _all_there(folders)
        ]
        if ways:
            found[split] = ways[0]
    return found if "train" in found else {"train": [root / name for name in names]}


def _ways(root: Path, names: tuple[str, ...], split: str) -> Iterator[list[Path]]:
    """The two places where the folders of a split may be."""
    yield [root / split / name for name in names]
    yield [root / name / split for name in names]


def _all_there(folders: list[Path]) -> bool:
    return all(folder.is_dir() for folder in folders)


def _has(names: tuple[str, ...], root: Path) -> bool:
    """Whether a folder has folders of all these names, for training at least."""
    return _all_there(_places(root, names)["train"])


def _pairs(root: Path) -> Splits:
    return {
        split: pair_store.match(noisy, clean)
        for split, (noisy, clean) in _places(root, PAIRED).items()
    }


def _mixed(root: Path) -> Splits:
    """Speech and noise, and the impulse responses of ``rirs``, which need no split of their own."""
    rooms = next(
        (
            path
            for path in (root / "train/rirs", root / "rirs/train", root / "rirs")
            if path.is_dir()
        ),
        None,
    )
    rirs = files_in(rooms) if rooms else ()
    return {
        split: Part(
            speech=files_in(speech), noise=files_in(noise), rirs=rirs if split == "train" else ()
        )
        for split, (speech, noise) in _places(root, MIXTURE).items()
    }


def _has_audio(root: Path) -> bool:
    return root.is_dir() and any(path.suffix.lower() in SUFFIXES for path in root.rglob("*"))


def _audio(root: Path) -> Splits:
    """Audio of unknown kind: by splits if there is a folder for training, else "all" of it."""
    folders = {
        split: root / alias
        for split, aliases in SPLIT_FOLDERS.items()
        for alias in aliases
        if (root / alias).is_dir()
    }
    found = folders if "train" in folders else {"all": root}
    return {
        split: Part(audio=files_in(folder)) for split, folder in found.items() if _has_audio(folder)
    }


#: The first that fits counts.
LAYOUTS = (
    Layout(
        "CSV manifest",
        "columns noisy,clean",
        "paired",
        partial(_is_manifest, "paired"),
        _read_manifest,
    ),
    Layout(
        "CSV manifest",
        "columns speech,noise",
        "mixture",
        partial(_is_manifest, "mixture"),
        _read_manifest,
    ),
    Layout(
        "VoiceBank+DEMAND",
        "noisy_trainset_28spk_wav, clean_trainset_28spk_wav, *_testset_wav",
        "paired",
        known_corpora.is_voicebank,
        known_corpora.voicebank,
    ),
    Layout(
        "MS-SNSD",
        "clean_train, noise_train",
        "mixture",
        known_corpora.is_ms_snsd,
        known_corpora.ms_snsd,
    ),
    Layout("CHiME-2", "isolated, scaled", "paired", known_corpora.is_chime2, known_corpora.chime2),
    Layout("noisy and clean", "folders noisy, clean", "paired", partial(_has, PAIRED), _pairs),
    Layout("speech and noise", "folders speech, noise", "mixture", partial(_has, MIXTURE), _mixed),
    Layout(
        "DNS-Challenge",
        "datasets/clean, datasets/noise",
        "mixture",
        known_corpora.is_dns,
        known_corpora.dns,
    ),
    Layout("audio", "a folder of WAV, FLAC or OGG files", "", _has_audio, _audio),
)
