"""Names that files may have: every command that takes a folder reads them, and counts what it cannot read."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from tinyprune.cli import main
from tinyprune.config import ImageData
from tinyprune.data.images.dataset import load
from tinyprune.enhance.jobs import NetworkChoice, enhance
from tinyprune.errors import TinypruneError
from tinyprune.pretrained import NAME

NAMES = [
    b"plain",
    b"new\nline",
    b"quote'\"s",
    b"-dash",
    b"--help",
    b"n" * 250,
    b"sp ace",
    b"[red]b",
    b"not utf-8 \xff\xfe",
    "\u00fcml\u00e4ut".encode(),
]


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fill(folder: Path, suffix: bytes, content: bytes) -> Path:
    """A folder with a file of each name, one that is broken and one that is hidden."""
    folder.mkdir(parents=True)
    place = os.fsencode(folder)
    for name in NAMES:
        Path(os.fsdecode(place + b"/" + name + suffix)).write_bytes(content)
    for name in (b"broken", b"._plain"):
        Path(os.fsdecode(place + b"/" + name + suffix)).write_bytes(b"RIFF")
    return folder


@pytest.fixture
def sound(tmp_path):
    """The bytes of half a second of noise."""
    path = tmp_path / "sound.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=8000), 16_000)
    return path.read_bytes()


def test_data_mix_and_describe(tmp_path, sound):
    speech = fill(tmp_path / "speech", b".wav", sound)
    noise = fill(tmp_path / "noise", b".wav", sound)
    mixed = invoke("data", "mix", tmp_path / "mix", "--speech", speech, "--noise", noise)
    assert mixed.exit_code == 0, mixed.stderr
    assert f"1 of {len(NAMES) + 1} files in {speech} were left out" in mixed.stderr
    manifest = (tmp_path / "mix/manifest.csv").read_bytes()
    assert b"not utf-8 \xff\xfe.wav" in manifest
    described = invoke("data", "describe", tmp_path / "mix", speech)
    assert described.exit_code == 0, described.stderr
    assert f"{len(NAMES)} pairs can be used" in described.stdout
    assert "unreadable: 1: broken.wav" in described.stdout


def test_enhance(tmp_path, sound):
    source = fill(tmp_path / "in", b".wav", sound)
    with pytest.raises(TinypruneError, match=f"1 of {len(NAMES) + 1} files were not enhanced"):
        enhance(str(source), str(tmp_path / "out"), NetworkChoice(tmp_path, NAME))
    made = [os.fsencode(path.name) for path in (tmp_path / "out").iterdir()]
    assert sorted(made) == sorted(name + b".wav" for name in NAMES)


def test_classes_of_images(tmp_path, log_lines):
    path = tmp_path / "pixels.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    for label in ("cat", "dog"):
        fill(tmp_path / "images" / label, b".png", path.read_bytes())
    dataset = load(ImageData(path=str(tmp_path / "images")), tmp_path / "cache")
    assert sum(map(len, dataset.splits.values())) == 2 * len(NAMES)
    assert log_lines[0].startswith(f"2 of {2 * (len(NAMES) + 1)} images in")


def test_a_line_of_the_log_stays_one_line(tmp_path, sound):
    folder = fill(tmp_path / "two\nlines", b".wav", sound)
    result = invoke("data", "mix", tmp_path / "mix", "--speech", folder, "--noise", folder)
    assert result.exit_code == 0, result.stderr
    assert all("were left out" in line for line in result.stderr.splitlines())
