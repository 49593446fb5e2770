"""Recordings on the HTML page: they decode, and they are what `enhance` makes."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune import extras
from tinyprune.cli import main
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.report.model.listening import to_wav
from tinyprune.stages.listening import _note_of_engine, listening
from tinyprune.tflite import engines, reference
from tinyprune.tflite.reference import MIXED, Reference

pytestmark = pytest.mark.usefixtures("tiny_sizes")
needs_tflm = pytest.mark.skipif(not engines.has_tflm(), reason="tflite_micro is not installed")


def invoke(*arguments: object):
    return CliRunner().invoke(main, list(map(str, arguments)))


def recordings(page: str) -> list[dict[str, bytes]]:
    """Of each mixture on a page: label -> content of the WAV."""
    section = page.partition('<section id="audio">')[2].partition("</section>")[0]
    pattern = r'<span class="what">([^<]+)</span>.*?src="data:audio/wav;base64,([^"]+)"'
    heard = []
    for figure in section.split("<figure>")[1:]:
        clips = re.findall(pattern, figure, re.DOTALL)
        heard.append({label: base64.b64decode(content) for label, content in clips})
    return heard


def samples(wav: bytes) -> np.ndarray:
    decoded, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    assert rate == 16_000 and decoded.ndim == 1
    return decoded


@needs_tflm
def test_the_page_has_what_enhance_makes(run_copy: Path, tmp_path: Path) -> None:
    result = invoke("report", "--run", run_copy, "--format", "html", "--audio", 2)
    assert result.exit_code == 0, result.output
    page = (run_copy / "report.html").read_text(encoding="utf-8")
    assert "media-src data:" in page
    heard = recordings(page)
    assert len(heard) == 2
    device = "weight-0.80, int8 by TFLM"
    for clips in heard:
        assert list(clips) == ["noisy input", "clean speech", "weight-0.80, float32", device]
        (tmp_path / "noisy.wav").write_bytes(clips["noisy input"])
        made = tmp_path / "enhanced.wav"
        options = ("--run", run_copy, "--model", "weight-0.80", "--engine", "tflm")
        enhanced = invoke("enhance", tmp_path / "noisy.wav", made, *options)
        assert enhanced.exit_code == 0, enhanced.output
        np.testing.assert_array_equal(samples(clips[device]), samples(made.read_bytes()))
        # The float network computes another signal of the same speech.
        of_float = samples(clips["weight-0.80, float32"]).astype(np.float32)
        difference = of_float - samples(clips[device])
        assert 0 < np.std(difference) < 0.2 * np.std(of_float)


@needs_tflm
def test_each_clip_says_its_ratio_to_the_clean_speech(run_copy: Path) -> None:
    found = listening(run_copy, 1, ["baseline", "weight-0.80"])
    [example] = found.examples
    assert [clip.label for clip in example.clips[2:]] == [
        "baseline, float32",
        "baseline, int8 by TFLM",
        "weight-0.80, float32",
        "weight-0.80, int8 by TFLM",
    ]
    noisy, clean, *others = example.clips
    assert clean.si_sdr_db is None
    for clip in (noisy, *others):
        ratio = si_sdr_db(samples(clean.wav) / 2**15, samples(clip.wav) / 2**15)
        assert clip.si_sdr_db == pytest.approx(ratio, abs=0.05)  # of samples of 16 bits
    assert found.notes == (
        "baseline, int8: as the device computes it, by TFLM",
        "weight-0.80, int8: as the device computes it, by TFLM",
    )


def test_mixtures_are_spread_over_the_snrs(run_copy: Path) -> None:
    every = listening(run_copy, 20).examples
    assert len(every) == 3  # all that dev has
    snrs = [example.snr_db for example in every]
    assert snrs == sorted(snrs)
    assert listening(run_copy, 1).examples[0].name == every[1].name  # the middle one


def test_without_the_extras_the_page_says_what_is_missing(run_copy: Path, monkeypatch) -> None:
    monkeypatch.setattr(extras, "can_train", lambda: False)
    monkeypatch.setattr(reference, "has_tflm", lambda: False)
    found = listening(run_copy, 1)
    labels = [clip.label for clip in found.examples[0].clips]
    assert labels == ["noisy input", "clean speech", "weight-0.80, int8 by LiteRT"]
    first, second = found.notes
    assert "TFLM is not installed" in first and "rounds unlike a device's" in first
    assert 'its float network is left out, which needs pip install "tinyprune[train]"' in second


@dataclass(frozen=True)
class NamedEngine:
    name: str


def test_the_note_says_what_computes_the_device() -> None:
    mixed = Reference(NamedEngine(MIXED), "LiteRT runs what TFLM lacks: GELU")
    assert _note_of_engine("baseline", mixed) == (
        "baseline, int8: as the device computes it, by TFLM and LiteRT; "
        "LiteRT runs what TFLM lacks: GELU"
    )
    alone = Reference(NamedEngine(engines.TFLM))
    assert (
        _note_of_engine("baseline", alone) == "baseline, int8: as the device computes it, by TFLM"
    )


@pytest.mark.slow
def test_a_run_of_something_else_cannot_be_heard(image_run_copy: Path) -> None:
    with pytest.raises(UsageError, match="a run of classification: --audio is of speech"):
        listening(image_run_copy, 1)


def test_what_cannot_be_heard_is_said(run_copy: Path) -> None:
    with pytest.raises(UsageError, match="no finished variant 'other'"):
        listening(run_copy, 1, ["other"])
    wrong = invoke("report", "--run", run_copy, "--audio", 1)
    assert wrong.exit_code == 2
    assert "--audio goes with --format html" in wrong.output


def test_samples_are_rounded_and_limited() -> None:
    half_a_step = 0.5 / 2**15
    wav = to_wav(np.array([0.0, 1.5 * half_a_step, -2.0, 1.0], np.float32), 16_000)
    assert samples(wav).tolist() == [0, 1, -(2**15), 2**15 - 1]
