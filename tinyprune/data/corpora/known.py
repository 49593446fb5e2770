"""Published corpora for speech enhancement, recognised by the names of their folders.

Each function takes a folder and gives its splits, or None if the folder is something else. They
only list files.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tinyprune.audio.files import list_audio
from tinyprune.data.corpora.corpus import AudioFile, Pair, Part, files_in, folder_of
from tinyprune.data.speech import pair_store

Splits = dict[str, Part]

# --- VoiceBank+DEMAND
# -------------------------------------------------------------------------------------------------

_VOICEBANK = re.compile(r"noisy_(trainset|testset)(_\d+spk)?_wav(_\w+)?")


def is_voicebank(root: Path) -> bool:
    """Whether a folder holds ``noisy_trainset_28spk_wav`` or the like with its clean partner."""
    return any(True for _ in _voicebank_folders(root))


def voicebank(root: Path) -> Splits:
    """``clean_trainset_28spk_wav`` or ``_56spk_`` with ``noisy_...``, and ``*_testset_wav`` (Valentini-Botinhao 2017).

    The speaker is the ``p226`` of ``p226_001.wav``. Noise and SNR come from
    ``log_trainset_28spk.txt`` and ``log_testset.txt`` (lines ``p232_001 bus 17.5``), in the folder
    itself or in one below it.
    """
    logs = _voicebank_logs(root)
    parts: dict[str, list[Part]] = {}
    for split, noisy, clean in _voicebank_folders(root):
        parts.setdefault(split, []).append(
            _labelled(pair_store.match(_innermost(noisy), _innermost(clean)), logs)
        )
    return {split: _joined(found) for split, found in parts.items()}


def _voicebank_folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """(split, noisy, clean) folders."""
    for noisy in sorted(root.glob("noisy_*")):
        found, clean = (
            _VOICEBANK.fullmatch(noisy.name),
            noisy.with_name(noisy.name.replace("noisy", "clean", 1)),
        )
        if found and noisy.is_dir() and clean.is_dir():
            yield found[1].removesuffix("set"), noisy, clean


def _innermost(folder: Path) -> Path:
    """The folder itself, or the one of its name in it that some unpackers make."""
    return folder / folder.name if (folder / folder.name).is_dir() else folder


def _voicebank_logs(root: Path) -> dict[str, tuple[str, float]]:
    """File -> noise and SNR, as the log files say; lines of other forms are skipped."""
    logs = {}
    for path in sorted([*root.glob("log_*.txt"), *root.glob("*/log_*.txt")]):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.fullmatch(r"(\S+)\s+(\S+)\s+(-?\d+(?:\.\d+)?)", line.strip())
            if found:
                logs[found[1].removesuffix(".wav")] = (found[2], float(found[3]))
    return logs


def _labelled(part: Part, logs: dict[str, tuple[str, float]]) -> Part:
    """The pairs with their noise and SNR; the ``_16k`` that some add to resampled files is no part of the name."""
    labels = [logs.get(pair.noisy.stem.split("_16k")[0], ("", None)) for pair in part.pairs]
    known = [
        Pair(pair.noisy, pair.clean, pair.name, pair.noisy.stem.split("_")[0], category, snr_db)
        for pair, (category, snr_db) in zip(part.pairs, labels, strict=True)
    ]
    return Part(tuple(known), part.unmatched)


def _joined(parts: list[Part]) -> Part:
    """Several lists of pairs as one: the sets of 28 and of 56 speakers have different speakers."""
    return Part(
        tuple(pair for part in parts for pair in part.pairs),
        tuple(path for part in parts for path in part.unmatched),
    )


# --- MS-SNSD and DNS-Challenge
# ----------------------------------------------------------------------------------------

_SPEAKER = re.compile(r"reader_\d+|^p\d{3}(?=_)")


def is_ms_snsd(root: Path) -> bool:
    """Whether a folder holds ``clean_train`` and ``noise_train``."""
    return (root / "clean_train").is_dir() and (root / "noise_train").is_dir()


def ms_snsd(root: Path) -> Splits:
    """``clean_train``, ``noise_train``, ``clean_test``, ``noise_test`` (Reddy et al. 2019).

    The category of ``AirConditioner_1.wav`` is ``AirConditioner``.
    """
    return {
        split: Part(
            speech=files_in(root / f"clean_{split}", _speaker),
            noise=files_in(root / f"noise_{split}", _category),
        )
        for split in ("train", "test")
        if (root / f"clean_{split}").is_dir() and (root / f"noise_{split}").is_dir()
    }


def is_dns(root: Path) -> bool:
    """Whether a folder, or its ``datasets``, holds clean speech and noise as DNS-Challenge names them."""
    base = _dns_base(root)
    return bool(_dns_speech(base)) and _first(base, "noise_fullband", "noise") is not None


def dns(root: Path) -> Splits:
    """``datasets/`` with ``clean``, ``noise`` and ``impulse_responses``, or ``*_fullband`` (Reddy et al. 2020-2022).

    Where there is no ``clean``, speech is what lies in ``read_speech``, ``german_speech`` and the
    like. Speakers are the ``reader_01234`` in the names of the files, else their folders.
    """
    base = _dns_base(root)
    noise = _first(base, "noise_fullband", "noise")
    assert noise is not None, "is_dns was asked before"
    rirs = _first(base, "impulse_responses_fullband", "impulse_responses")
    speech = tuple(
        AudioFile(file.path, f"{folder.name}/{file.name}", file.group)
        for folder in _dns_speech(base)
        for file in files_in(folder, _speaker)
    )
    return {
        "train": Part(speech=speech, noise=files_in(noise), rirs=files_in(rirs) if rirs else ())
    }


def _dns_base(root: Path) -> Path:
    return _first(root, "datasets_fullband", "datasets") or root


def _dns_speech(base: Path) -> list[Path]:
    """The folders of speech."""
    clean = _first(base, "clean_fullband", "clean")
    return [clean] if clean else sorted(path for path in base.glob("*_speech") if path.is_dir())


def _first(root: Path, *names: str) -> Path | None:
    """The first of these folders that is there."""
    return next((root / name for name in names if (root / name).is_dir()), None)


def _speaker(path: Path, root: Path) -> str:
    """``reader_01234`` or ``p226`` from the name of a file, else its folder."""
    found = _SPEAKER.search(path.stem)
    return found[0] if found else folder_of(path, root)


def _category(path: Path, root: Path) -> str:
    """``AirConditioner`` of ``AirConditioner_1``."""
    return re.sub(r"_\d+$", "", path.stem)


# --- CHiME-2
# ----------------------------------------------------------------------------------------------------------

_SNR = re.compile(r"(m?)(\d+(?:\.\d+)?)dB")
_CHIME_SPLITS = (
    ("train", ("train", "si_tr")),
    ("dev", ("devel", "dev", "si_dt")),
    ("test", ("test", "si_et")),
)
_CHIME_CLEAN = ("scaled", "reverberated", "clean")


def is_chime2(root: Path) -> bool:
    """Whether a folder, or a folder of a split in it, holds ``isolated`` and a clean partner of it."""
    return any(True for _ in _chime2_folders(root))


def chime2(root: Path) -> Splits:
    """``isolated`` beside ``scaled``, ``reverberated`` or ``clean`` (Vincent et al. 2013), both tracks.

    Medium vocabulary: ``isolated/si_tr_s/.../011c0201.wav`` with ``9dB`` ... ``m6dB`` among the
        folders, and ``scaled``
    (the clean speech at the level that it has in the mixture) of the same form; ``si_dt_*`` is dev,
    ``si_et_*`` test.
    Small vocabulary: ``train/isolated/id1/x.wav`` and ``devel/isolated/9dB/x.wav`` with
        ``reverberated`` beside it;
    its test set has no clean speech. The clean file is the one at the same place, or there without
    the folder of the SNR, or, of a split, the only one of that name. "m6dB" is -6 dB. Recordings
    have two channels.
    """
    parts: dict[str, list[Part]] = {}
    for isolated, clean in _chime2_folders(root):
        for split, part in _chime2_parts(isolated, clean, root).items():
            parts.setdefault(split, []).append(part)
    return {split: _joined(found) for split, found in parts.items()}


def _chime2_folders(root: Path) -> Iterator[tuple[Path, Path]]:
    """(isolated, clean) folders, at the top or in the folder of a split."""
    for isolated in sorted([*root.glob("isolated"), *root.glob("*/isolated")]):
        clean = _first(isolated.parent, *_CHIME_CLEAN)
        if clean is not None:
            yield isolated, clean


def _chime2_parts(isolated: Path, clean: Path, root: Path) -> Splits:
    """The pairs of one folder, by split."""
    sides = {side: list_audio(side) for side in (isolated, clean)}
    places = {path.relative_to(clean).as_posix(): path for path in sides[clean]}
    names: dict[tuple[str, str], list[Path]] = {}
    for path in sides[clean]:
        names.setdefault((_chime2_split(path, root), path.stem), []).append(path)
    parts: dict[str, tuple[list[Pair], list[Path]]] = {}
    for noisy in sides[isolated]:
        split, place = _chime2_split(noisy, root), noisy.relative_to(isolated)
        without = "/".join(part for part in place.parts if not _SNR.fullmatch(part))
        same = names.get((split, noisy.stem), [])
        partner = (
            places.get(place.as_posix())
            or places.get(without)
            or (same[0] if len(same) == 1 else None)
        )
        found, alone = parts.setdefault(split, ([], []))
        if partner:
            name = place.with_suffix("").as_posix()
            found.append(
                Pair(
                    noisy,
                    partner,
                    name,
                    _chime2_speaker(noisy),
                    "living room",
                    _chime2_snr_db(place),
                )
            )
        else:
            alone.append(noisy)
    return {split: Part(tuple(found), tuple(alone)) for split, (found, alone) in parts.items()}


def _chime2_split(path: Path, root: Path) -> str:
    """The split that a folder on the way to a file names, else "train"."""
    for folder in path.relative_to(root).parts[:-1]:
        for split, starts in _CHIME_SPLITS:
            if folder.startswith(starts):
                return split
    return "train"


def _chime2_speaker(path: Path) -> str:
    """``id1`` of a folder, ``s1`` of ``s1_bbaf2n``, else the first three letters of a name, as WSJ0 has it."""
    if re.fullmatch(r"id\d+", path.parent.name):
        return path.parent.name
    found = re.match(r"s\d+(?=_)", path.stem)
    return found[0] if found else path.stem[:3]


def _chime2_snr_db(place: Path) -> float | None:
    """-6 of a folder "m6dB"."""
    found = next((match for part in place.parts if (match := _SNR.fullmatch(part))), None)
    return float(found[2]) * (-1 if found[1] else 1) if found else None
