"""Whatever is wrong with the input: one line that names it, an exit code, no traceback, nothing half-written."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.npu import targets
from tinyprune.registry import DATASETS, IMPORTANCES, MODELS, SCHEDULES, STRUCTURES

WRONG_USAGE, FAILED, CHECK_FAILED = 2, 1, 3


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(result, exit_code):
    """The one line on stderr."""
    assert result.exit_code == exit_code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines(keepends=True)
    said_before = re.compile(r"held out for dev: |baseline: .+ parameters, ")
    line = "".join(line for line in lines if not said_before.match(line))
    assert re.fullmatch(r"error: .+\n", line), result.stderr
    return line.removeprefix("error: ").rstrip("\n")


def leftovers(run):
    """What a command left in a run folder, but for the lock."""
    return sorted(path.name for path in run.rglob("*") if path.is_file() and path.name != ".lock")


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


def write(path, samples=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, noise(8000, len(path.name)) if samples is None else samples, 16_000, **how
    )
    return path


def write_text(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no audio\n" * 100)


def write_cut(path):
    write(path, noise(32_000))
    path.write_bytes(path.read_bytes()[:9000])


def write_nan(path):
    write(path, np.full(8000, np.nan, np.float32), subtype="FLOAT")


def write_silence(path):
    write(path, np.zeros(8000, np.float32))


BAD_FILES = {
    "text.wav": (write_text, r"is damaged, or no WAV, FLAC or OGG file \(Format not recognised\)"),
    "cut.flac": (write_cut, r"is damaged, or no WAV, FLAC or OGG file \(.*\)"),
    "nan.wav": (write_nan, "holds NaN or infinite samples"),
    "silent.wav": (write_silence, "is silent"),
}


@pytest.fixture
def corpus(tmp_path):
    """Four speakers with one utterance of half a second, four noises."""
    for number in range(4):
        write(tmp_path / f"speech/{number}/a.wav", noise(8000, number))
        write(tmp_path / f"noise/{number}.wav", noise(8000, 10 + number))
    return tmp_path


def train(corpus, run, *more, speech="speech", noise="noise"):
    few = (
        "--epochs",
        1,
        "--batch-size",
        2,
        "--set",
        "train.frames=10",
        "--set",
        "data.dev_utterances=2",
    )
    return invoke(
        "train", "--run", run, "--speech", corpus / speech, "--noise", corpus / noise, *few, *more
    )


# --- folders and audio
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--speech", "--noise", "--dev-speech", "--test-noise"])
def test_a_missing_folder(corpus, tmp_path, option):
    line = error_of(train(corpus, tmp_path / "run", option, tmp_path / "gone"), WRONG_USAGE)
    folder = tmp_path / "gone"
    assert (
        line
        == f"Invalid value for '{option}': Directory '{folder}' does not exist. (see tinyprune train --help)"
    )
    assert not (tmp_path / "run").exists()


def test_an_empty_folder(corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    line = error_of(train(corpus, tmp_path / "run", speech="empty"), WRONG_USAGE)
    assert line == f"folder {tmp_path / 'empty'} holds no WAV, FLAC or OGG file: check the path"
    assert leftovers(tmp_path / "run") == []


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_folder_with_nothing_but_bad_files(corpus, tmp_path, name):
    make, reason = BAD_FILES[name]
    make(tmp_path / "bad" / name)
    line = error_of(train(corpus, tmp_path / "run", speech="bad"), WRONG_USAGE)
    folder = tmp_path / "bad"
    assert re.fullmatch(
        f"none of the 1 audio files in {folder} can be used, e.g. {folder / name} {reason}", line
    )
    assert leftovers(tmp_path / "run") == []


@pytest.mark.slow
def test_bad_files_among_good_ones_are_counted_and_short_noise_is_repeated(
    corpus, tmp_path, tiny_sizes
):
    for name, (make, _) in BAD_FILES.items():
        make(corpus / "speech/0" / name)
    for number in range(4):
        write(corpus / f"noise/{number}.wav", noise(100, number))  # 6 ms
    result = train(corpus, tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    warning, speakers, files, begin, epoch, done = result.stderr.splitlines()
    assert re.fullmatch(r"baseline: 14 k parameters, 1 epoch of \d+ steps?", begin)
    for line in (speakers, files):
        assert line.startswith("held out for dev: 1 of 4 ")
    assert warning.startswith(
        f"4 of 8 files in {corpus}/speech were left out, e.g. {corpus}/speech/0/cut.flac is "
    )
    assert re.match(r"baseline: epoch 1/1  loss -?\d+\.\d+  dev SI-SDR -?\d+\.\d\d dB", epoch)
    assert re.match(
        r"baseline: dev SI-SDR -?\d+\.\d\d dB, -?\d+\.\d\d dB in the noisy input; in ", done
    )
    assert (tmp_path / "run/variants/baseline/model.keras").exists()


def test_one_file_of_speech(corpus, tmp_path):
    write(tmp_path / "single/a.wav")
    line = error_of(train(corpus, tmp_path / "run", speech="single"), WRONG_USAGE)
    assert (
        line
        == "one speech file cannot be split into training and dev: add files, or give --dev-speech and --dev-noise"
    )


@pytest.mark.parametrize(("given", "missing"), [("speech", "noise"), ("noise", "speech")])
def test_speech_without_noise_and_noise_without_speech(corpus, tmp_path, given, missing):
    result = invoke("train", "--run", tmp_path / "run", f"--{given}", corpus / given)
    expected = (
        f'data.{missing}: data.name = "mixture" needs it: give --{missing} DIR, or --path PATH'
    )
    assert error_of(result, WRONG_USAGE) == expected
    assert not (tmp_path / "run").exists()


# --- numbers and names
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", ["1.0", "-0.1", "80", "nan", "80%", "high"])
def test_a_sparsity_that_is_no_fraction(tmp_path, sparsity):
    line = error_of(invoke("prune", "--run", tmp_path / "run", "--sparsity", sparsity), WRONG_USAGE)
    assert line.startswith(f"--sparsity {sparsity}: ")
    assert line.endswith(
        "expected a fraction in [0, 1), e.g. 0.8, or several that grow, e.g. 0.5,0.7,0.8"
    )
    assert not (tmp_path / "run").exists()


def test_a_sparsity_that_is_no_fraction_in_a_recipe(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text("[[prune]]\nsparsity = 80.0\n")
    line = error_of(invoke("run", recipe, "--run", tmp_path / "run"), WRONG_USAGE)
    assert line == f"{recipe}: prune.0.sparsity: expected a fraction in [0, 1), e.g. 0.8, got 80.0"


@pytest.mark.parametrize(
    ("command", "option", "name", "known"),
    [
        ("train", "--model", "model", MODELS),
        ("train", "--data", "dataset", DATASETS),
        (
            "prune",
            "--structure",
            "structure",
            ["2:4", *(name for name in STRUCTURES if name != "n:m")],
        ),
        ("prune", "--then", "structure", ["2:4", *(name for name in STRUCTURES if name != "n:m")]),
        ("prune", "--schedule", "schedule", SCHEDULES),
        ("prune", "--importance", "importance", IMPORTANCES),
        ("compile", "--npu", "npu", targets.names()),
    ],
)
def test_an_unknown_name_comes_with_the_names_that_exist(tmp_path, command, option, name, known):
    line = error_of(invoke(command, "--run", tmp_path / "run", option, "none"), WRONG_USAGE)
    assert line.startswith(f"unknown {name} 'none': ")
    assert line.endswith(f"expected one of: {', '.join(sorted(known))}")
    assert not (tmp_path / "run").exists()


def test_a_slip_of_the_finger_comes_with_the_closest_name(tmp_path):
    line = error_of(invoke("train", "--run", tmp_path / "run", "--model", "tinylstn"), WRONG_USAGE)
    assert line.startswith("unknown model 'tinylstn': did you mean 'tinylstm'? ")


@pytest.mark.parametrize("name", ["../up", "a b", ".hidden", "baseline"])
def test_a_name_that_no_variant_can_have(tmp_path, name):
    line = error_of(invoke("prune", "--run", tmp_path / "run", "--name", name), WRONG_USAGE)
    assert line.startswith(f"name: '{name}' cannot name a variant: ")


# --- stages in the wrong order
# ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("prune",), ("prune", "--show-plan"), ("export",), ("compile",), ("evaluate",)]
)
def test_no_baseline(tmp_path, command):
    run = tmp_path / "run"
    line = error_of(invoke(*command, "--run", run), WRONG_USAGE)
    assert line == f"no finished variant 'baseline' in {run}: run `tinyprune train` first"
    assert not run.exists()


def test_a_variant_that_exists_with_another_configuration(finished_run):
    result = invoke("prune", "--run", finished_run.folder, "--epochs", 5)
    folder = finished_run.folder / "variants/weight-0.80"
    assert error_of(result, WRONG_USAGE) == (
        f"{folder} exists with another configuration (prune.epochs: 2, now 5): "
        "choose another --name or --run, or delete that folder"
    )


def test_a_variant_that_is_not_there(finished_run):
    line = error_of(invoke("evaluate", "block-0.80", "--run", finished_run.folder), WRONG_USAGE)
    assert line.startswith("no finished variant 'block-0.80' in ")
    assert line.endswith(": it has baseline, weight-0.80")


def test_a_split_that_is_not_there(corpus, run_copy):
    folders = ("--test-speech", corpus / "speech", "--test-noise", corpus / "noise")
    result = invoke("evaluate", "--run", run_copy, "--split", "test", *folders)
    assert 'choose "mixture"' in error_of(result, WRONG_USAGE)
    line = error_of(invoke("evaluate", "--run", run_copy, *folders[:2]), WRONG_USAGE)
    assert line == "--test-speech and --test-noise go together: give both or none"


# --- files for Vela
# ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_missing(tmp_path):
    line = error_of(invoke("compile", tmp_path / "gone.tflite"), WRONG_USAGE)
    assert line == f"{tmp_path / 'gone.tflite'} does not exist: expected a .tflite file"


@pytest.mark.parametrize("content", [b"", b"text", b"no flatbuffer " * 100])
def test_a_file_that_is_no_tflite(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    line = error_of(invoke("compile", path), WRONG_USAGE)
    assert line.startswith(f"{path} is not a TFLite file")
    assert leftovers(tmp_path) == ["model.tflite"]


def test_a_tflite_that_is_cut_off(networks, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(networks.dense().read_bytes()[:1000])
    line = error_of(invoke("compile", path), WRONG_USAGE)
    assert line.startswith(f"{path} is a damaged TFLite file")
    assert leftovers(tmp_path) == ["cut.tflite"]


def test_a_float_tflite(networks, tmp_path):
    path = networks.dense_float()
    line = error_of(invoke("compile", path, "-o", tmp_path / "out"), WRONG_USAGE)
    assert line.startswith(f"{path} ")
    assert "float32" in line
    assert "export it as int8 first (tinyprune export)" in line
    assert not (tmp_path / "out").exists()


def test_operators_on_the_cpu(networks, tmp_path):
    command = ("compile", networks.strided(), "-o", tmp_path / "out")
    refused = invoke(*command)
    assert refused.exit_code == CHECK_FAILED
    assert "OVER by 1" in refused.stdout
    [line] = refused.stderr.splitlines()
    assert line.startswith(
        "error: strided on ethos-u55-128-shared-sram: CPU operators 1, 1 over the limit of 0"
    )
    assert line.endswith("most weighs CONV_2D (1); accept operators on the CPU with --allow-cpu")
    accepted = invoke(*command, "--allow-cpu")
    assert (accepted.exit_code, accepted.stderr) == (0, "")
    assert accepted.stdout


def test_nothing_for_the_npu(networks, tmp_path):
    line = error_of(
        invoke("compile", networks.all_cpu(), "-o", tmp_path / "out", "--allow-cpu"), FAILED
    )
    assert "Vela puts no operator on the NPU; on the CPU stay CONV_2D" in line


# --- disks and processes
# ----------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_while_audio_is_decoded(corpus, tiny_disk):
    """Of 64 KiB; a clip of 80,000 samples takes 160,000 bytes."""
    run = tiny_disk / "run"
    write(corpus / "speech/0/long.wav", noise(80_000))
    line = error_of(train(corpus, run), FAILED)
    assert line.startswith(f"cannot write {run}/data/speech-")
    assert line.endswith(": No space left on device; free some space or choose another place")
    assert leftovers(run) == []


@pytest.mark.slow
def test_a_disk_that_is_full_while_a_checkpoint_is_written(
    corpus, tmp_path, tiny_sizes, monkeypatch
):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    result = train(corpus, tmp_path / "run")
    folder = tmp_path / "run/variants/baseline"
    assert error_of(result, FAILED) == (
        f"cannot write {folder}/best.npz: No space left on device; free some space or choose another place"
    )
    assert leftovers(folder) == ["variant.json"]


def test_a_disk_that_is_full_while_vela_writes(networks, tiny_disk):
    (tiny_disk / "filler").write_bytes(bytes(56 * 1024))
    line = error_of(invoke("compile", networks.dense(), "-o", tiny_disk / "out"), FAILED)
    assert "No space left on device" in line
    assert not list((tiny_disk / "out").glob("*.tflite"))


def test_a_run_folder_that_is_read_only(corpus, read_only_folder):
    run = read_only_folder / "run"
    line = error_of(train(corpus, run), FAILED)
    assert line == f"cannot write in {run}: Read-only file system; choose another --run"


def test_a_run_folder_that_is_a_file(corpus, tmp_path):
    (tmp_path / "file").touch()
    assert "is a file" in error_of(train(corpus, tmp_path / "file"), WRONG_USAGE)
    line = error_of(train(corpus, tmp_path / "file/run"), FAILED)
    assert line == f"cannot write in {tmp_path / 'file/run'}: File exists; choose another --run"


HOLDER = """
import sys
from pathlib import Path
from tinyprune.storage.run_folder import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_two_processes_in_one_run_folder(corpus, finished_run):
    run = finished_run.folder
    command = [sys.executable, "-c", HOLDER, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        results = [
            train(corpus, run),
            *(invoke(name, "--run", run) for name in ("prune", "evaluate")),
        ]
        beside = invoke("compile", "--run", run)
        other.kill()
    assert beside.exit_code == 0  # of variants that are finished
    for result in results:
        line = error_of(result, FAILED)
        assert line == f"another tinyprune works in {run}: wait for it, or choose another --run"


def test_a_real_process_says_one_line_too(tmp_path):
    """Through the real stderr, with whatever TensorFlow and friends would add."""
    path = Path(tmp_path / "model.tflite")
    path.write_text("text")
    command = [sys.executable, "-m", "tinyprune", "compile", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (WRONG_USAGE, "")
    assert done.stderr.startswith(f"error: {path} is not a TFLite file")
    assert done.stderr.count("\n") == 1
