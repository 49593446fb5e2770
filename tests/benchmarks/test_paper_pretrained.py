"""`python -m benchmarks.paper --pretrained ROW`: from a finished row to the package's files and the model card."""

import re
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile

from benchmarks.paper import __main__ as command
from benchmarks.paper import (
    by_snr,
    experiment,
    pretrained,
    record,
    robustness,
    rows,
    sources,
    worker,
)
from benchmarks.paper.pretrained import Place
from benchmarks.paper.record import Cost, RowRecord, Score, Split
from benchmarks.paper.view import SHARED
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device import frontend_of, record_beside
from tinyprune.config import MixtureData
from tinyprune.data.speech import evaluation_data
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.digests import read_sealed, write_sealed
from tinyprune.storage.records import read_json, write_json

SECONDS = 0.5
SAMPLES = int(SECONDS * 16_000)
SOURCES = [
    sources.Source("speech", "LibriSpeech, English", "CC BY 4.0", 3, 90.0),
    sources.Source("noise", "ESC-10", "CC BY", 2, 60.0, ("b", "A")),
]


@pytest.fixture
def work(run_copy):
    """A finished run with the records of its rows in results/."""
    record.write(
        run_copy / "results",
        row_of(run_copy, row="dense-float32", way="float", config={}, epochs=3, costs={}),
    )
    record.write(run_copy / "results", row_of(run_copy))
    return run_copy


@pytest.fixture(autouse=True)
def known_places(monkeypatch, tmp_path_factory):
    """The run was trained on synthetic speech, whose folders are nowhere."""
    monkeypatch.setattr(pretrained, "_sources", lambda space: SOURCES)
    draw, dev = np.random.default_rng(0), tmp_path_factory.mktemp("dev")
    for kind in ("speech", "noise"):
        for number in range(2):
            write(dev / kind / str(number) / "a.wav", draw.normal(0, 0.1, SAMPLES))
    monkeypatch.setattr(
        pretrained, "_dev_folders", lambda space: ([dev / "speech"], [dev / "noise"])
    )
    monkeypatch.setattr(by_snr, "EACH", 2)
    monkeypatch.setattr(robustness, "ALL", "clean")
    one = partial(MixtureData, dev_utterances=1)
    monkeypatch.setattr(evaluation_data, "MixtureData", one)


def write(path, samples=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(SAMPLES) if samples is None else samples, 16_000)


def row_of(run, **more):
    """The record of a row, as the worker makes it."""
    variant = run / "variants/weight-0.80"
    artifact = read_json(variant / "streaming.json", TFLiteArtifact)
    scores = {"si_sdr_db": Score(9.0, -0.1, -0.2, 0.05), "stoi": Score(0.8, 0.001, -0.002, 0.003)}
    values = {
        "task": "speech",
        "row": "weight-0.80",
        "structure": "weight",
        "way": "joint",
        "state": "finished",
        "key": experiment.key_in(run),
        "seed": 0,
        "form": "streaming",
        "epochs": 2,
        "parameters": 4321,
        "config": worker.Variant("weight-0.80", variant).configuration()["prune"],
        "measured_on": {"date": "2026-01-02T03:04:05", "versions": {"tinyprune": "0.1.0"}},
        "file_bytes": artifact.file_bytes,
        "sparsity": artifact.sparsity,
        "data_sha256": "d" * 64,
        "dev": Split(3, "names", scores, {"si_sdr_db": 1.5, "stoi": 0.7}),
        "costs": {SHARED: Cost(5e3, 90_000, 70_000, 15_000.0, 2e5, 1e5, "NPU")},
    }
    return RowRecord(**{**values, **more})


def ship(work, name="weight-0.80"):
    place = Place(work / "package/denoiser.tflite", work / "card.md")
    return pretrained.ship(name, work, work / "results", rows.all_rows(), place)


def test_the_network_is_that_of_the_row_and_its_records_fit(work):
    assert ship(work) == work / "card.md"
    package, variant = work / "package", work / "variants/weight-0.80"
    assert (package / "denoiser.tflite").read_bytes() == (variant / "streaming.tflite").read_bytes()
    before, after = (
        read_json(path, TFLiteArtifact)
        for path in (variant / "streaming.json", package / "denoiser.json")
    )
    assert after == replace(before, path=after.path)
    assert str(after.path) == "denoiser.tflite"
    trained_with = [
        frontend_of(record_beside(path))
        for path in (package / "denoiser.tflite", variant / "streaming.tflite")
    ]
    assert trained_with[0] == trained_with[1]
    assert str(work) not in "".join(path.read_text() for path in package.glob("*.json"))


def test_the_card_has_the_figures_of_the_record(work):
    text = ship(work).read_text()
    assert max(map(len, text.splitlines())) <= 120
    assert "| SI-SDR dB | 1.50 | 9.00 | -0.10 | -0.20 to +0.05 |" in text
    assert "| STOI | 0.700 | 0.800 | +0.001 | -0.002 to +0.003 |" in text
    assert (
        "Mean of 3 mixtures of the dev split (on which choices were made: test is not scored yet)"
        in text
    )
    assert "4,321 parameters" in text
    assert "| U55-128 Shared_Sram | 90.0 kB | 70.0 kB | 5.0 kB | 200 k |" in text
    assert "1.5 min of speech and 1.0 min of noise" in text  # 90 s and 60 s
    assert "Way: `dense-float32`, `weight-0.80`, 3 + 2 epochs" in " ".join(text.split())
    assert "Authors of the noise under CC BY: A, b." in text
    assert "None" not in text
    assert str(work) not in text


@pytest.mark.slow
def test_the_card_shows_test_once_there_is_one(work):
    scored = Split(7, "names", {"si_sdr_db": Score(8.0, -0.3, -0.4, -0.2)}, {"si_sdr_db": 0.5})
    record.write(work / "results", row_of(work, test=scored))
    text = ship(work).read_text()
    assert "Mean of 7 mixtures of the test split (scored once, after all choices were made)" in text
    assert "| SI-SDR dB | 0.50 | 8.00 | -0.30 | -0.40 to -0.20 |" in text
    assert "9.00" not in text.partition("SI-SDR dB by SNR")[0]


@pytest.mark.slow
def test_the_card_shows_what_it_does_outside_of_its_snrs(work):
    text = ship(work).read_text()
    assert "2 mixtures of the recordings of dev each. It learned from -6 to 9 dB" in " ".join(
        text.split()
    )
    table = text.partition("by SNR of the input")[2].partition("\n\n")[2].splitlines()
    header, noisy, own = (re.findall(r"-?[\d.]+", table[line]) for line in (0, 2, 3))
    assert header == [f"{snr:g}" for snr in by_snr.SNRS_DB]
    # Two signals of noise: SI-SDR is the SNR, but for what they have in common by chance and 16
    # bits.
    assert np.allclose([float(value) for value in noisy], by_snr.SNRS_DB, atol=1)
    harmed = [
        snr
        for snr, before, after in zip(header, noisy, own, strict=True)
        if float(after) < float(before)
    ]
    assert "30" in harmed  # a mask of a network that has hardly learned
    assert f"- At {', '.join(harmed)} dB SNR it takes more than it gives" in text, text[
        text.index("## Limits") :
    ][:900]


def test_the_card_says_where_the_network_must_not_be_used(work):
    """A network that has hardly learned; speech and noise are both white noise."""
    text = ship(work).read_text()
    section = text.partition("## Robustness")[2].partition("## What it costs")[0]
    assert "SI-SDR dB of pretrained streaming on the dev split, 1 files at most" in section
    assert "| as it is |" in section
    assert "### Where pretrained streaming must not be used\n\n- clean: " in section


@pytest.mark.slow
def test_a_variant_from_before_a_setting_existed_has_its_default(work):
    path = work / "variants/weight-0.80/variant.json"
    claim = read_sealed(path, "")
    del claim["prune"]["budget"]
    write_sealed(path, claim)
    assert "row `weight-0.80`" in ship(work).read_text()


# --- what is refused, before anything is written
# ----------------------------------------------------------------------


def refused(work, kind, message, name="weight-0.80"):
    with pytest.raises(kind, match=message):
        ship(work, name)
    assert not (work / "package").exists()
    assert not (work / "card.md").exists()


def test_rows_without_a_network(work):
    refused(
        work, UsageError, "unknown finished row with an int8 network 'weight-0.90'", "weight-0.90"
    )
    record.write(work / "results", row_of(work, state="failed"))
    refused(work, UsageError, "expected one of: none so far")


def test_a_folder_of_another_experiment(work):
    shutil.rmtree(work / "results")
    record.write(work / "results", row_of(work, key="00000000"))
    refused(
        work, UsageError, "is not where weight-0.80 was trained .key 00000000.: give its --work"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file_bytes": 1}, "is not what was scored as weight-0.80"),
        ({"config": {"sparsity": 0.9}}, "was made by another configuration than weight-0.80"),
    ],
)
def test_a_record_of_another_network(work, change, message):
    record.write(work / "results", row_of(work, **change))
    refused(work, TinypruneError, message)


def test_a_graph_of_other_records(work):
    path = work / "variants/weight-0.80/streaming.json"
    write_json(path, replace(read_json(path, TFLiteArtifact), sha256="0" * 64))
    refused(work, TinypruneError, "is not the graph of its own records")


def test_data_that_are_gone(work, monkeypatch):
    monkeypatch.undo()  # the run's own folders: it has none
    refused(work, UsageError, r"there is no None \(speech\): the card is made of what is in it")
    monkeypatch.setattr(pretrained, "_sources", lambda space: SOURCES)
    refused(work, UsageError, r"there is no None \(dev_speech\)")


def test_what_is_too_large(work, monkeypatch):
    monkeypatch.setattr(pretrained, "MOST_BYTES", 1000)
    refused(
        work,
        TinypruneError,
        r"weight-0.80 would add \d+ B to the package: at most 1000 are allowed",
    )


def test_the_command_line(work, monkeypatch, capsys):
    monkeypatch.setattr(command, "RESULTS", work / "results")
    assert command.main(["--pretrained", "weight-0.99", "--work", str(work)]) == 2
    assert capsys.readouterr().err.startswith(
        "error: unknown finished row with an int8 network 'weight-0.99'"
    )
    assert command.main(["--pretrained", "weight-0.80", "--quick"]) == 2
    assert "leave out --quick" in capsys.readouterr().err


# --- where the data came from
# -----------------------------------------------------------------------------------------


def test_speech_is_counted_by_source(tmp_path):
    for name in (
        "librispeech_train/1/a.flac",
        "librispeech_train/2/b.flac",
        "rhasspy_kerstin/c.flac",
    ):
        write(tmp_path / name)
    found = [(one.name, one.licence, one.files, one.seconds) for one in sources.speech(tmp_path)]
    assert found == [
        ("LibriSpeech, English", "CC BY 4.0", 2, 2 * SECONDS),
        ("Rhasspy dataset-voice-kerstin, German", "CC0 1.0", 1, SECONDS),
    ]
    write(tmp_path / "mine/d.flac")
    with pytest.raises(UsageError, match="mine: the licence of these recordings is not known"):
        list(sources.speech(tmp_path))


def test_noise_is_counted_by_source_and_licence(tmp_path):
    for name in ("dog/a.flac", "dog/b.flac", "rain/c.flac"):
        write(tmp_path / "train" / name)
    with pytest.raises(UsageError, match=r"there is no .*MANIFEST.csv"):
        list(sources.noise(tmp_path / "train"))
    lines = [
        "path,source,author,licence",
        "dog/a.flac,ESC-10,Ann,CC-BY",
        "rain/c.flac,ESC-10,Bob,CC0",
    ]
    (tmp_path / "MANIFEST.csv").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=r"dog/b.flac is not in .*MANIFEST.csv"):
        list(sources.noise(tmp_path / "train"))
    (tmp_path / "MANIFEST.csv").write_text(
        "\n".join([*lines, "dog/b.flac,ESC-10,Ann,CC-BY", "dog/z.flac,X,Y,Z"])
    )
    assert list(sources.noise(tmp_path / "train")) == [
        sources.Source("noise", "ESC-10", "CC BY", 2, 2 * SECONDS, ("Ann",)),
        sources.Source("noise", "ESC-10", "CC0", 1, SECONDS),
    ]
