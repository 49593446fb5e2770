"""The network that comes with tinyprune: its files belong together, and it works where nothing was ever trained."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune import pretrained
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.cli import main
from tinyprune.config import MagnitudePruning, SyntheticSpeechData, check
from tinyprune.data.synthetic import corpus
from tinyprune.errors import UsageError
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.stages.model_reference import ModelReference, parse_reference
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json
from tinyprune.tflite import flatbuffer

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("TINYPRUNE_DATA", ROOT.parent / "shared" / "data"))
RATE = 16_000
SAID = (
    "model: pretrained, the denoiser that comes with tinyprune, as there is no run in runs/default; "
    "`tinyprune train`, then `tinyprune prune` make your own"
)


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder in which nothing was ever trained."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == code, result.stderr
    return result


# --- the files
# --------------------------------------------------------------------------------------------------------


def test_the_files_belong_together():
    network = pretrained.denoiser()
    record = read_json(pretrained.record(), TFLiteArtifact)
    front_end = read_json(network.with_suffix(".frontend.json"), DeviceFrontEnd)
    assert sha256(network) == record.sha256 == front_end.sha256
    assert (str(record.path), front_end.model) == (network.name, network.name)
    assert network.stat().st_size == record.file_bytes
    graph = flatbuffer.read(network)
    flatbuffer.require_int8(network, graph)
    assert record.frames == 1
    assert [one.dtype for one in (*graph.inputs, *graph.outputs)] == ["int8", "int8"]
    assert len(record.layers) == len(graph.operators)


def test_they_are_in_the_package_and_small():
    """What lies in the package's folder and is not ignored by git is in the wheel (pyproject.toml)."""
    files = [*pretrained.denoiser().parent.glob("denoiser.*")]
    assert {path.name for path in files} == {
        "denoiser.tflite",
        "denoiser.frontend.json",
        "denoiser.json",
        "denoiser.quality.json",
    }
    assert all(path.is_relative_to(ROOT / "tinyprune") for path in files)
    assert sum(path.stat().st_size for path in files) <= 2_000_000
    ignored = (ROOT / ".gitignore").read_text()
    assert not any(word in ignored for word in ("tflite", "json", "pretrained"))


def test_they_name_no_machine():
    for path in pretrained.denoiser().parent.glob("denoiser.*json"):
        assert not any('"/' in line for line in path.read_text().splitlines())


def test_the_card_is_of_this_network():
    card = (ROOT / "docs" / "pretrained.md").read_text()
    assert sha256(pretrained.denoiser()) in card


# --- enhance
# ----------------------------------------------------------------------------------------------------------


def gain_db(clean, noisy):
    """SI-SDR after `tinyprune enhance` less SI-SDR before."""
    soundfile.write("noisy.wav", noisy, RATE, subtype="FLOAT")
    said = invoke("enhance", "noisy.wav", "clean.wav").stderr
    assert said.splitlines()[0] == SAID
    return si_sdr_db(clean, soundfile.read("clean.wav", dtype="float32")[0]) - si_sdr_db(
        clean, noisy
    )


def few(folder, count=6):
    """The samples of some files, spread over a folder."""
    paths = sorted(folder.rglob("*.flac"))
    return [
        soundfile.read(path, dtype="float32")[0] for path in paths[:: len(paths) // count][:count]
    ]


def test_synthetic_speech_gets_cleaner(tmp_path, monkeypatch):
    """Voices of a synthesizer, which it has never heard, at -6, -3 and 0 dB; doing nothing would gain 0 dB."""
    monkeypatch.setattr(corpus, "HELD_OUT_MINUTES", 0.1)
    dataset = corpus.load(SyntheticSpeechData(minutes=0.2, dev_utterances=3), tmp_path / "cache")
    gains = [gain_db(one.clean, one.noisy) for one in dataset.utterances("dev")]
    assert np.mean(gains) > 1.5


@pytest.mark.skipif(
    not (DATA / "speech").is_dir(), reason=f"no real data in {DATA}; set TINYPRUNE_DATA"
)
def test_real_speech_gets_cleaner():
    """Speakers and noise that it has never heard, at 0 dB."""
    gains = []
    for voice, background in zip(few(DATA / "speech/dev"), few(DATA / "noise/dev"), strict=True):
        clean = 0.05 * voice / voice.std()
        gains.append(
            gain_db(clean, clean + 0.05 * np.resize(background / background.std(), len(clean)))
        )
    assert np.mean(gains) > 4


def test_it_can_be_named_and_then_nothing_is_said_of_it():
    soundfile.write("a.wav", np.zeros(RATE), RATE)
    said = invoke("enhance", "a.wav", "b.wav", "--model", "pretrained", "--run", "none").stderr
    assert said.splitlines()[0].startswith("b.wav: ")
    assert not Path("none").exists()


@pytest.mark.parametrize("command", [("enhance", "a.wav", "b.wav"), ("compile",)])
def test_it_never_replaces_a_run_that_was_asked_for_or_begun(command):
    soundfile.write("a.wav", np.zeros(RATE), RATE)
    assert "no finished " in invoke(*command, "--run", "runs/default", code=2).stderr
    assert not Path("runs").exists()
    Path("runs/default/variants/baseline").mkdir(parents=True)
    Path("runs/default/variants/baseline/variant.json").write_text("{}")
    assert "no finished " in invoke(*command, code=2).stderr


# --- compile, evaluate, names
# -----------------------------------------------------------------------------------------


def test_compile_without_a_run_writes_beside_the_runs():
    before = {path: path.stat().st_mtime_ns for path in pretrained.denoiser().parent.iterdir()}
    result = invoke("compile", "--npu", "ethos-u55-128", "--format", "json")
    assert result.stderr == f"{SAID}\n"
    made = json.loads(result.stdout)
    assert Path(made["path"]) == Path(
        "runs/pretrained/ethos-u55-128-shared-sram/denoiser_vela.tflite"
    )
    assert Path(made["path"]).exists()
    assert made["report"]["cpu_operators"] == []
    assert {layer["name"] for layer in made["report"]["layers"]} == {
        "lstm_1",
        "lstm_2",
        "dense",
        "mask",
    }
    assert before == {
        path: path.stat().st_mtime_ns for path in pretrained.denoiser().parent.iterdir()
    }
    assert "OVER" in invoke("compile", "--max-flash", "1kB", code=3).stdout


def test_compile_it_by_name_to_a_place_of_ones_own():
    Path("pretrained").mkdir()  # a folder of that name is not in its way
    result = invoke("compile", "pretrained", "-o", "out", "--format", "csv")
    assert result.stderr == ""
    [row] = csv.DictReader(io.StringIO(result.stdout))
    assert row["path"] == "out/denoiser_vela.tflite"
    assert not Path("runs").exists()


def test_evaluate_it_on_pairs():
    rng = np.random.default_rng(0)
    for folder, signal in (
        ("clean", np.sin(np.arange(RATE) / 8) / 9),
        ("noisy", rng.normal(size=RATE) / 9),
    ):
        Path(folder).mkdir()
        soundfile.write(f"{folder}/a.wav", signal, RATE)
    done = invoke(
        "evaluate",
        "pretrained",
        *("--noisy", "noisy", "--clean", "clean", "--format", "json", "-q"),
    )
    rows = json.loads(done.stdout)["rows"]
    assert [(row["model"], row["form"]) for row in rows] == [
        ("-", "noisy"),
        ("pretrained", "streaming"),
    ]
    assert not Path("runs").exists()


def test_its_name_is_taken():
    assert parse_reference("pretrained") == ModelReference("pretrained", path=pretrained.denoiser())
    with pytest.raises(UsageError, match=r"^'pretrained:float': that network is in one form only"):
        parse_reference("pretrained:float")
    with pytest.raises(
        UsageError, match="'pretrained' cannot name a variant: .* not 'baseline' or 'pretrained'"
    ):
        check(MagnitudePruning(name="pretrained"))
    check(MagnitudePruning(name="pretrained-2"))
