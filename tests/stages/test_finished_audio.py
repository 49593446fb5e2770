"""Folders of finished audio beside clean speech: lag, polarity, names and lengths."""

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.audio.files import read_mono
from tinyprune.cli import main
from tinyprune.data.speech import finished, pair_store
from tinyprune.data.speech.evaluation_data import EvaluationData
from tinyprune.enhance.jobs import NetworkChoice, enhance
from tinyprune.errors import UsageError
from tinyprune.metrics.evaluation import evaluation
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.finished_audio import score_finished
from tinyprune.stages.model_reference import EvaluationRequest

RATE = 16_000
NAMES = ("a", "b", "c")


def noise(seed, samples=RATE):
    return np.random.default_rng(seed).normal(0, 0.05, samples)


def write(path, samples, rate=RATE, subtype="FLOAT"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)


@pytest.fixture
def folders(tmp_path):
    """Clean speech, noisy at 0 dB, and "good" at 20 dB."""
    for seed, name in enumerate(NAMES):
        clean = noise(seed)
        write(tmp_path / f"clean/{name}.wav", clean)
        write(tmp_path / f"noisy/{name}.wav", clean + noise(10 + seed))
        write(tmp_path / f"good/{name}.wav", clean + 0.1 * noise(10 + seed))
    return tmp_path


def mean(scored, row):
    return evaluation(scored).rows[row].metrics["si_sdr_db"].value.mean


def test_ratios_are_those_of_the_files(folders):
    scored = score_finished([folders / "good"], folders / "clean", folders / "noisy", ["si_sdr_db"])
    assert mean(scored, 0) == pytest.approx(0, abs=0.2)
    assert mean(scored, 1) == pytest.approx(20, abs=0.2)
    assert [item.snr_db for item in scored.noisy.items] == [0, 0, 0]


def test_every_file_is_read_once(folders, monkeypatch):
    read = []

    def read_and_count(path):
        read.append(path)
        return read_mono(path)

    monkeypatch.setattr(finished, "read_mono", read_and_count)
    monkeypatch.setattr(pair_store, "read_mono", read_and_count)
    score_finished([folders / "good"], folders / "clean", folders / "noisy", ["si_sdr_db"])
    assert [path for path in read if "noisy" in path.parts] == [
        folders / f"noisy/{name}.wav" for name in NAMES
    ]


def test_enhanced_files_have_the_scores_that_the_network_has(tmp_path):
    """One way through a network: quiet recordings with a constant in them too."""
    for seed, (level, constant) in enumerate([(1.0, 0.0), (0.2, 0.0), (1.0, 0.1)]):
        clean = level * noise(seed)
        mixed = clean + level * noise(10 + seed) + constant
        for kind, samples in (("clean", clean), ("noisy", mixed)):
            write(tmp_path / f"{kind}/{seed}.wav", samples, subtype="PCM_16")

    noisy, clean = tmp_path / "noisy", tmp_path / "clean"
    request = EvaluationRequest(
        split="test",
        metrics=("si_sdr_db",),
        data=EvaluationData(noisy=str(noisy), clean=str(clean)),
    )
    scored = evaluate_models(tmp_path / "run", ["pretrained"], request)
    engine = scored.models[0][0].engine.lower()
    network = NetworkChoice(tmp_path, "pretrained", engine=engine)
    enhance(str(noisy), str(tmp_path / "enhanced"), network)
    finished = score_finished([tmp_path / "enhanced"], clean, metrics=["si_sdr_db"])
    np.testing.assert_allclose(
        finished.models[0][0].values("si_sdr_db"),
        scored.models[0][0].values("si_sdr_db"),
        atol=1e-3,
    )


def test_lag_and_polarity_cost_nothing_and_are_reported(folders, log_lines):
    for name in NAMES:
        samples, _ = soundfile.read(folders / f"good/{name}.wav")
        write(folders / f"late/{name}.wav", -np.concatenate([np.zeros(160), samples]))
    scored = score_finished(
        [folders / "good", folders / "late"], folders / "clean", metrics=["si_sdr_db"]
    )
    assert mean(scored, 1) == pytest.approx(mean(scored, 0), abs=1e-4)
    assert log_lines == [
        f"{folders}/late: 3 of 3 files were moved (median lag 10.0 ms), "  # 160 of 16,000
        "3 were inverted, before scoring"
    ]


def test_audio_that_is_early_is_moved_too(folders):
    for name in NAMES:
        samples, _ = soundfile.read(folders / f"good/{name}.wav")
        write(folders / f"early/{name}.wav", samples[160:])
    scored = score_finished([folders / "early"], folders / "clean", metrics=["si_sdr_db"])
    assert mean(scored, 0) == pytest.approx(20, abs=0.2)


def test_another_rate_is_resampled(folders):
    clean = np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    write(folders / "one/a.wav", clean)
    write(folders / "slow/a.wav", clean[::2], RATE // 2)
    scored = score_finished([folders / "slow"], folders / "one", metrics=["si_sdr_db"])
    assert mean(scored, 0) > 30


def test_a_folder_that_lacks_files_is_refused(folders):
    (folders / "good/b.wav").unlink()
    with pytest.raises(UsageError, match=r"good lacks 1 of the files in .*clean: .*b\.wav"):
        score_finished([folders / "good"], folders / "clean")


def test_other_files_are_left_out_and_counted(folders, log_lines):
    write(folders / "good/z.wav", noise(0))
    scored = score_finished([folders / "good"], folders / "clean", metrics=["si_sdr_db"])
    assert len(scored.models[0][0].items) == 3
    assert log_lines[0].startswith("1 files of")


def test_lengths_may_differ_by_a_second_and_not_more(folders):
    write(folders / "good/a.wav", noise(0, 2 * RATE))
    score_finished([folders / "good"], folders / "clean", metrics=["si_sdr_db"])
    write(folders / "good/a.wav", noise(0, 2 * RATE + 1))
    with pytest.raises(UsageError, match=r"has 2\.00 s, its clean speech 1\.00 s"):
        score_finished([folders / "good"], folders / "clean", metrics=["si_sdr_db"])


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_the_command_prints_differences_between_folders(folders):
    found = run(
        *("--enhanced", folders / "noisy", "--enhanced", folders / "good"),
        *("--clean", folders / "clean", "--metric", "si-sdr"),
    )
    assert found.exit_code == 0
    assert "better" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs the clean speech beside it: give --clean DIR"),
        (["--clean", "C", "--split", "dev"], "leave out --split"),
        (["--clean", "C", "--path", "noisy"], "leave out --path"),
        (["--clean", "C", "baseline"], "baseline is a model"),
        (["--clean", "C", "--max-drop", "sdr=1"], "give --enhanced twice"),
        (["--clean", "C", "--clean", "noisy"], "--clean was given 2 times: --enhanced takes one"),
    ],
)
def test_what_does_not_go_together_is_one_line(folders, monkeypatch, arguments, message):
    monkeypatch.chdir(folders)
    (folders / "clean").rename(folders / "C")
    found = run("--enhanced", "good", *arguments)
    assert found.exit_code == 2
    assert message in found.stderr
