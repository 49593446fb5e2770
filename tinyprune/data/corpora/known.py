"""Published corpora for speech enhancement, recognised by the names of their folders.

Of each corpus, one function tells whether a folder holds it, and one gives its splits. They only
list files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tinyprune.audio.files import list_audio
from tinyprune.data.corpora.corpus import (
    AudioFile,
    CorpusSplit,
    CorpusSplits,
    Pair,
    files_in,
    folder_of,
    speaker_in,
)
from tinyprune.data.speech import pair_store


def first_folder(root: Path, *names: str) -> Path | None:
    """Return the first of these folders that is there."""
    for name in names:
        if (root / name).is_dir():
            return root / name
    return None


def _joined(parts: list[tuple[str, CorpusSplit]]) -> CorpusSplits:
    """Return named parts of splits of pairs as one split of each name.

    The sets of 28 and of 56 speakers of VoiceBank have different speakers.
    """
    pairs: dict[str, list[Pair]] = {}
    unmatched: dict[str, list[Path]] = {}
    for name, part in parts:
        pairs.setdefault(name, []).extend(part.pairs)
        unmatched.setdefault(name, []).extend(part.unmatched)
    return {name: CorpusSplit(tuple(pairs[name]), tuple(unmatched[name])) for name in pairs}


# --- VoiceBank+DEMAND

_VOICEBANK = re.compile(r"noisy_(trainset|testset)(_\d+spk)?_wav(_\w+)?")
_VOICEBANK_LOG_LINE = re.compile(r"(\S+)\s+(\S+)\s+(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class _NoiseLabel:
    """The noise of a recording, as a log says it."""

    category: str = ""
    snr_db: float | None = None


def is_voicebank(root: Path) -> bool:
    """Return whether a folder holds ``noisy_trainset_28spk_wav`` or the like with its partner."""
    return any(True for _ in _voicebank_folders(root))


def voicebank(root: Path) -> CorpusSplits:
    """Return ``clean_trainset_28spk_wav`` or ``_56spk_`` with ``noisy_...``, and ``*_testset_wav``.

    The speaker is the ``p226`` of ``p226_001.wav``. Noise and SNR come from
    ``log_trainset_28spk.txt`` and ``log_testset.txt`` (lines ``p232_001 bus 17.5``), in the folder
    itself or in one below it. Valentini-Botinhao 2017, "Noisy speech database for training speech
    enhancement algorithms and TTS models".
    """
    labels = _voicebank_labels(root)
    parts = []
    for split, noisy, clean in _voicebank_folders(root):
        matched = pair_store.match(_innermost(noisy), _innermost(clean))
        pairs = tuple(_voicebank_pair(pair, labels) for pair in matched.pairs)
        parts.append((split, CorpusSplit(pairs, matched.unmatched)))
    return _joined(parts)


def _voicebank_folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield (split, noisy, clean) folders."""
    for noisy in sorted(root.glob("noisy_*")):
        match = _VOICEBANK.fullmatch(noisy.name)
        clean = noisy.with_name(noisy.name.replace("noisy", "clean", 1))
        if match and noisy.is_dir() and clean.is_dir():
            yield match[1].removesuffix("set"), noisy, clean


def _innermost(folder: Path) -> Path:
    """Return the folder itself, or the one of its name in it that some unpackers make."""
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def _voicebank_labels(root: Path) -> dict[str, _NoiseLabel]:
    """Return the noise of each file, as the logs say; lines of other forms are skipped."""
    labels = {}
    for path in sorted([*root.glob("log_*.txt"), *root.glob("*/log_*.txt")]):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _VOICEBANK_LOG_LINE.fullmatch(line.strip())
            if match:
                file, category, snr_db = match.groups()
                labels[file.removesuffix(".wav")] = _NoiseLabel(category, float(snr_db))
    return labels


def _voicebank_pair(pair: Pair, labels: dict[str, _NoiseLabel]) -> Pair:
    """Return a pair with its speaker, noise and SNR.

    The ``_16k`` that some add to resampled files is no part of the name.
    """
    stem = pair.noisy.stem
    label = labels.get(stem.split("_16k")[0], _NoiseLabel())
    speaker = stem.split("_")[0]
    return Pair(pair.noisy, pair.clean, pair.name, speaker, label.category, label.snr_db)


# --- MS-SNSD and DNS-Challenge


def is_ms_snsd(root: Path) -> bool:
    """Return whether a folder holds ``clean_train`` and ``noise_train``."""
    return _has_ms_snsd_split(root, "train")


def ms_snsd(root: Path) -> CorpusSplits:
    """Return ``clean_train``, ``noise_train``, ``clean_test``, ``noise_test``.

    The category of ``AirConditioner_1.wav`` is ``AirConditioner``. Reddy et al. 2019, "A scalable
    noisy speech dataset and online subjective test framework".
    """
    splits = {}
    for split in ("train", "test"):
        if _has_ms_snsd_split(root, split):
            splits[split] = CorpusSplit(
                speech=files_in(root / f"clean_{split}", _speaker),
                noise=files_in(root / f"noise_{split}", _category),
            )
    return splits


def _has_ms_snsd_split(root: Path, split: str) -> bool:
    return (root / f"clean_{split}").is_dir() and (root / f"noise_{split}").is_dir()


def is_dns(root: Path) -> bool:
    """Return whether a folder, or its ``datasets``, holds speech and noise of DNS-Challenge."""
    base = _dns_base(root)
    return bool(_dns_speech(base)) and _dns_noise(base) is not None


def dns(root: Path) -> CorpusSplits:
    """Return ``datasets/`` with ``clean``, ``noise`` and ``impulse_responses``, or ``*_fullband``.

    Where there is no ``clean``, speech lies in ``read_speech``, ``german_speech`` and the like.
    Speakers are the ``reader_01234`` in the names of the files, else their folders. Reddy et al.
    2020-2022, the Deep Noise Suppression Challenges.
    """
    base = _dns_base(root)
    noise = _dns_noise(base)
    assert noise is not None, "is_dns was asked before"
    rirs = first_folder(base, "impulse_responses_fullband", "impulse_responses")

    speech = []
    for folder in _dns_speech(base):
        for file in files_in(folder, _speaker):
            speech.append(AudioFile(file.path, f"{folder.name}/{file.name}", file.group))
    train = CorpusSplit(
        speech=tuple(speech), noise=files_in(noise), rirs=files_in(rirs) if rirs else ()
    )
    return {"train": train}


def _dns_base(root: Path) -> Path:
    return first_folder(root, "datasets_fullband", "datasets") or root


def _dns_noise(base: Path) -> Path | None:
    return first_folder(base, "noise_fullband", "noise")


def _dns_speech(base: Path) -> list[Path]:
    """Return the folders of speech."""
    clean = first_folder(base, "clean_fullband", "clean")
    if clean:
        return [clean]
    return sorted(path for path in base.glob("*_speech") if path.is_dir())


def _speaker(path: Path, root: Path) -> str:
    """Return ``reader_01234`` or ``p226`` from the name of a file, else its folder."""
    return speaker_in(path.stem) or folder_of(path, root)


def _category(path: Path, root: Path) -> str:
    """Return ``AirConditioner`` of ``AirConditioner_1``."""
    return re.sub(r"_\d+$", "", path.stem)


# --- CHiME-2

_SNR = re.compile(r"(m?)(\d+(?:\.\d+)?)dB")
#: The split -> how the names of its folders begin.
_CHIME2_SPLITS = {
    "train": ("train", "si_tr"),
    "dev": ("devel", "dev", "si_dt"),
    "test": ("test", "si_et"),
}
_CHIME2_CLEAN = ("scaled", "reverberated", "clean")


def is_chime2(root: Path) -> bool:
    """Return whether a folder, or one of a split in it, holds ``isolated`` and a clean partner."""
    return any(True for _ in _chime2_folders(root))


def chime2(root: Path) -> CorpusSplits:
    """Return ``isolated`` beside ``scaled``, ``reverberated`` or ``clean``, of both tracks.

    Medium vocabulary: ``isolated/si_tr_s/.../011c0201.wav`` with ``9dB`` ... ``m6dB`` among the
    folders, and ``scaled`` (the clean speech at the level that it has in the mixture) of the same
    form; ``si_dt_*`` is dev, ``si_et_*`` test.

    Small vocabulary: ``train/isolated/id1/x.wav`` and ``devel/isolated/9dB/x.wav`` with
    ``reverberated`` beside it; its test set has no clean speech.

    "m6dB" is -6 dB. Recordings have two channels. Vincent et al. 2013, "The second CHiME speech
    separation and recognition challenge".
    """
    parts = []
    for isolated, clean in _chime2_folders(root):
        parts += _chime2_parts(isolated, clean, root)
    return _joined(parts)


def _chime2_folders(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (isolated, clean) folders, at the top or in the folder of a split."""
    for isolated in sorted([*root.glob("isolated"), *root.glob("*/isolated")]):
        clean = first_folder(isolated.parent, *_CHIME2_CLEAN)
        if clean is not None:
            yield isolated, clean


def _chime2_parts(isolated: Path, clean: Path, root: Path) -> list[tuple[str, CorpusSplit]]:
    """Return the pairs of one folder as (split, one pair or one file without a partner)."""
    partners = _Chime2Partners.in_folder(clean, root)
    parts = []
    for noisy in list_audio(isolated):
        split = _chime2_split(noisy, root)
        place = noisy.relative_to(isolated)
        partner = partners.find(split, place)
        if partner is None:
            parts.append((split, CorpusSplit(unmatched=(noisy,))))
            continue
        pair = Pair(
            noisy,
            partner,
            name=place.with_suffix("").as_posix(),
            speaker=_chime2_speaker(noisy),
            category="living room",
            snr_db=_chime2_snr_db(place),
        )
        parts.append((split, CorpusSplit(pairs=(pair,))))
    return parts


@dataclass(frozen=True)
class _Chime2Partners:
    """The clean files of a folder.

    Attributes:
        by_place: by their paths below the folder. by_name: by split and name.
    """

    by_place: dict[str, Path] = field(default_factory=dict)
    by_name: dict[tuple[str, str], list[Path]] = field(default_factory=dict)

    @classmethod
    def in_folder(cls, clean: Path, root: Path) -> "_Chime2Partners":
        partners = cls()
        for path in list_audio(clean):
            partners.by_place[path.relative_to(clean).as_posix()] = path
            name = (_chime2_split(path, root), path.stem)
            partners.by_name.setdefault(name, []).append(path)
        return partners

    def find(self, split: str, place: Path) -> Path | None:
        """Return the clean file of a noisy one.

        It lies at the same place, or there without the folder of the SNR, or is the only one of
        that name in the split.
        """
        folders_without_snr = [part for part in place.parts if not _SNR.fullmatch(part)]
        for candidate in (place.as_posix(), "/".join(folders_without_snr)):
            if candidate in self.by_place:
                return self.by_place[candidate]
        namesakes = self.by_name.get((split, place.stem), [])
        return namesakes[0] if len(namesakes) == 1 else None


def _chime2_split(path: Path, root: Path) -> str:
    """Return the split that a folder on the way to a file names, else "train"."""
    for folder in path.relative_to(root).parts[:-1]:
        for split, beginnings in _CHIME2_SPLITS.items():
            if folder.startswith(beginnings):
                return split
    return "train"


def _chime2_speaker(path: Path) -> str:
    """Return the speaker of a file.

    It is ``id1`` of a folder, ``s1`` of ``s1_bbaf2n``, else the first three letters of a name, as
    in WSJ0.
    """
    if re.fullmatch(r"id\d+", path.parent.name):
        return path.parent.name
    match = re.match(r"s\d+(?=_)", path.stem)
    return match[0] if match else path.stem[:3]


def _chime2_snr_db(place: Path) -> float | None:
    """Return -6 of a folder "m6dB"; None without such a folder."""
    for part in place.parts:
        match = _SNR.fullmatch(part)
        if match:
            sign = -1 if match[1] else 1
            return float(match[2]) * sign
    return None
