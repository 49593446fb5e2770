"""The layouts of corpora: recognised by names, listed as files per split. Nothing is decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tinyprune.audio.files import SUFFIXES
from tinyprune.config.data import CorpusData, MixtureData, PairedData
from tinyprune.config.values import each_of
from tinyprune.data.class_folders import SPLIT_FOLDERS
from tinyprune.data.corpora import known, manifest
from tinyprune.data.corpora.corpus import Corpus, CorpusSplit, CorpusSplits, files_in
from tinyprune.data.speech import pair_store
from tinyprune.errors import UsageError
from tinyprune.storage.listing import list_files


@dataclass(frozen=True)
class Layout:
    """A form in which corpora lie on a disk.

    Attributes:
        name: of the corpus, or of its form. signs: files and folders that tell it, in words.
        dataset: the data set that uses it (registry.DATASETS), or "" for audio of unknown kind.
        matches: ``path -> bool``, by looking at names only. read: the splits of such a path.
    """

    name: str
    signs: str
    dataset: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], CorpusSplits]


def recognise(path: Path) -> Corpus:
    """Return the corpus at a path: a folder in one of the layouts, or a CSV manifest.

    Raises UsageError that lists the layouts if it is none of them, or if files that it needs are
    missing.
    """
    layout = _layout(path)
    if layout is None:
        problem = "is no known corpus" if path.exists() else "does not exist"
        layouts = "; ".join(f"{layout.name} ({layout.signs})" for layout in LAYOUTS)
        raise UsageError(f"{path} {problem}: expected one of: {layouts}")

    splits = layout.read(path)
    ordered = {}
    for name in (*SPLIT_FOLDERS, "all"):
        if name in splits:
            ordered[name] = splits[name]
    return Corpus(layout.name, path, layout.dataset, ordered)


def dataset_of(path: Path) -> str:
    """Return the data set that a corpus of speech is for, "paired" or "mixture".

    It is "" for anything else. No files are listed.
    """
    layout = _layout(path)
    return layout.dataset if layout else ""


def paired_folders(noisy: Path, clean: Path) -> Corpus:
    """Return the corpus of two folders of files with the same names.

    Raises UsageError if no file has a partner.
    """
    return Corpus("noisy and clean", noisy, "paired", {"all": pair_store.match(noisy, clean)})


def _layout(path: Path) -> Layout | None:
    """Return the first layout that a path has."""
    for layout in LAYOUTS:
        if layout.matches(path):
            return layout
    return None


def configured_splits(
    config: CorpusData, read: Callable[[list[Path], list[Path]], CorpusSplit]
) -> CorpusSplits:
    """Return the splits of a configuration: of the corpus at its ``path``, or of its folders.

    Raises UsageError for a corpus of another data set, or where one of two folders is missing.

    Args:
        config: of the data. read: ``(firsts, seconds) -> split`` of folders of both kinds.
    """
    if config.path is not None:
        return _splits_of_corpus(config.path, config.name)

    splits = {}
    for split in ("train", "dev", "test"):
        fields = folder_fields(split, config.folders)
        first, second = (list(map(Path, each_of(getattr(config, field)))) for field in fields)
        named = sum(map(bool, (first, second)))
        if named == 2:
            splits[split] = read(first, second)
        elif named or split == "train":
            raise UsageError(_missing_folder(split, config.name, fields))
    return splits


def folder_fields(split: str, kinds: tuple[str, str]) -> tuple[str, str]:
    """Return the fields of a configuration that name the two folders of a split."""
    if split == "train":
        return kinds
    first, second = kinds
    return f"{split}_{first}", f"{split}_{second}"


def _splits_of_corpus(path: str, dataset: str) -> CorpusSplits:
    """Return the splits of a corpus. Raises UsageError unless a data set can be trained on it."""
    corpus = recognise(Path(path))
    if corpus.dataset == dataset and "train" in corpus.splits:
        return corpus.splits
    is_of_other = corpus.dataset not in ("", dataset)
    reason = f'for data.name = "{corpus.dataset}"' if is_of_other else "without training data"
    raise UsageError(
        f"{path} is a corpus ({corpus.layout}) {reason}: the {dataset} data cannot use it"
    )


def _missing_folder(split: str, dataset: str, fields: tuple[str, str]) -> str:
    """Return the message about a folder that is missing."""
    first, second = (f"--{field.replace('_', '-')}" for field in fields)
    if split == "train":
        return f"the {dataset} data need two folders: give {first} DIR and {second} DIR"
    return f"{first} and {second} go together: give both or none"


# --- manifests


def _manifest_file(path: Path) -> Path:
    """Return the manifest itself, also of a folder that has one."""
    return path / manifest.NAME if path.is_dir() else path


def _is_manifest(dataset: str, path: Path) -> bool:
    file = _manifest_file(path)
    return file.suffix.lower() == ".csv" and manifest.dataset_of(file) == dataset


def _read_manifest(path: Path) -> CorpusSplits:
    return manifest.read(_manifest_file(path))


# --- plain folders


def _folders(root: Path, names: tuple[str, str]) -> dict[str, tuple[Path, Path]]:
    """Return the folders of these names per split: ``train/noisy`` or ``noisy/train``.

    Without folders for training, everything is for training.
    """
    by_split = {}
    for split in SPLIT_FOLDERS:
        folders = _folders_of_split(root, names, split)
        if folders:
            by_split[split] = folders
    if "train" in by_split:
        return by_split
    first, second = names
    return {"train": (root / first, root / second)}


def _folders_of_split(root: Path, names: tuple[str, str], split: str) -> tuple[Path, Path] | None:
    """Return the two folders of a split, at the first place where both are."""
    first, second = names
    for alias in SPLIT_FOLDERS[split]:
        below_split = (root / alias / first, root / alias / second)
        below_kind = (root / first / alias, root / second / alias)
        for folders in (below_split, below_kind):
            if _are_folders(folders):
                return folders
    return None


def _are_folders(paths: tuple[Path, Path]) -> bool:
    return all(path.is_dir() for path in paths)


def _has_folders(names: tuple[str, str], root: Path) -> bool:
    """Return whether both folders are there, for training at least."""
    return _are_folders(_folders(root, names)["train"])


def _read_pairs(root: Path) -> CorpusSplits:
    splits = {}
    for split, (noisy, clean) in _folders(root, PairedData.folders).items():
        splits[split] = pair_store.match(noisy, clean)
    return splits


def _read_speech_and_noise(root: Path) -> CorpusSplits:
    """Return speech and noise, and the impulse responses of ``rirs`` for training.

    Impulse responses need no split of their own.
    """
    rooms = known.first_folder(root, "train/rirs", "rirs/train", "rirs")
    rirs = files_in(rooms) if rooms else ()
    splits = {}
    for split, (speech, noise) in _folders(root, MixtureData.folders).items():
        splits[split] = CorpusSplit(
            speech=files_in(speech),
            noise=files_in(noise),
            rirs=rirs if split == "train" else (),
        )
    return splits


def _has_audio(root: Path) -> bool:
    return root.is_dir() and bool(list_files(root, SUFFIXES))


def _read_audio(root: Path) -> CorpusSplits:
    """Return audio of unknown kind, by splits if there is a folder for training, else "all"."""
    folders: dict[str, Path] = {}
    for split, aliases in SPLIT_FOLDERS.items():
        # Where there are folders of two names, the longer name counts.
        folder = known.first_folder(root, *reversed(aliases))
        if folder:
            folders[split] = folder
    if "train" not in folders:
        folders = {"all": root}

    splits = {}
    for split, folder in folders.items():
        if _has_audio(folder):
            splits[split] = CorpusSplit(audio=files_in(folder))
    return splits


#: In this order: a path has the first layout that matches.
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
        known.is_voicebank,
        known.voicebank,
    ),
    Layout(
        "MS-SNSD",
        "clean_train, noise_train",
        "mixture",
        known.is_ms_snsd,
        known.ms_snsd,
    ),
    Layout("CHiME-2", "isolated, scaled", "paired", known.is_chime2, known.chime2),
    Layout(
        "noisy and clean",
        "folders noisy, clean",
        "paired",
        partial(_has_folders, PairedData.folders),
        _read_pairs,
    ),
    Layout(
        "speech and noise",
        "folders speech, noise",
        "mixture",
        partial(_has_folders, MixtureData.folders),
        _read_speech_and_noise,
    ),
    Layout(
        "DNS-Challenge",
        "datasets/clean, datasets/noise",
        "mixture",
        known.is_dns,
        known.dns,
    ),
    Layout("audio", "a folder of WAV, FLAC or OGG files", "", _has_audio, _read_audio),
)
