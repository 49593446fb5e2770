"""Sounds of machines: the layout, windows, and the split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyprune.config import AnomalyData
from tinyprune.data.anomaly.dataset import load
from tinyprune.data.anomaly.files import list_machines
from tinyprune.data.anomaly.frontend import LogMelFrontEnd
from tinyprune.data.synthetic.machines import hum
from tinyprune.errors import UsageError

#: Frames of half a second: 1 + (8000 - 1024) // 512.
FRAMES = 14


def write(folder: Path, names) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        samples = 0.1 * np.random.default_rng(number).normal(size=8000)
        soundfile.write(folder / f"{name}.wav", samples, 16_000)
    return folder


@pytest.fixture
def fan(tmp_path) -> Path:
    names = [f"train/normal_id_00_{index:08d}" for index in range(4)]
    for kind in ("normal", "anomaly"):
        names += [f"test/{kind}_id_0{machine}_{index}" for machine in (0, 2) for index in range(4)]
    return write(tmp_path / "fan", names)


def test_names_say_machine_and_kind(fan):
    files = list_machines(fan)
    assert len(files) == 4 + 16
    assert {file.machine for file in files} == {"fan id_00", "fan id_02"}
    assert sum(file.is_anomaly for file in files) == 8


def test_several_machines_may_lie_in_one_folder(tmp_path):
    write(tmp_path, ["ToyCar/train/normal_id_01_0", "valve/train/section_00_source_train_normal_0"])
    write(tmp_path, ["valve/test/section_00_target_test_anomaly_3"])
    assert [file.machine for file in list_machines(tmp_path)] == [
        "ToyCar id_01",
        "valve section_00",
        "valve section_00",
    ]


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["test/normal_0"], "holds no sounds to train on: expected MACHINE/train/normal"),
        (["train/normal_0", "train/anomaly_1"], "is an anomaly: training is on normal sounds only"),
        (["train/normal_0", "test/quiet_1"], "quiet_1.wav is neither normal nor anomaly"),
    ],
)
def test_a_folder_of_another_kind_is_refused(names, line, tmp_path):
    with pytest.raises(UsageError, match=line):
        list_machines(write(tmp_path, names))


def test_windows_are_frame_after_frame_at_deviation_1(fan, tmp_path):
    data = load(AnomalyData(machines=str(fan)), tmp_path)
    inputs, targets = data.examples("train")
    assert inputs.shape == (4 * (FRAMES // 5), 5 * 128)  # side by side in each of four clips
    assert np.array_equal(inputs, targets)
    assert inputs.std() == pytest.approx(1, abs=0.1)
    [clip, *_] = data.scored("test")
    every = data.windows_of(clip)
    assert every.shape == (FRAMES - 4, 5 * 128)  # one at every frame
    assert np.array_equal(every[0, 128:256], every[1, :128])


def test_levels_are_decibels_of_power(tmp_path):
    tone = np.sin(2 * np.pi * 1000 / 16_000 * np.arange(16_000)).astype(np.float32)
    levels = LogMelFrontEnd().levels(tone)
    assert levels.shape == (30, 128)
    loudest = levels.max(axis=1)
    assert LogMelFrontEnd().levels(tone / 10).max(axis=1) == pytest.approx(loudest - 20, abs=0.01)
    assert LogMelFrontEnd().levels(0 * tone).max() == pytest.approx(
        -100
    )  # of 1e-10, the smallest power


def test_dev_is_a_part_of_the_test_clips_of_each_machine_and_kind(fan, tmp_path):
    data = load(AnomalyData(machines=str(fan), dev_share=0.5), tmp_path)
    dev = data.scored("dev")
    assert sorted((clip.machine, clip.is_anomaly) for clip in dev) == sorted(
        [("fan id_00", False), ("fan id_00", True), ("fan id_02", False), ("fan id_02", True)] * 2
    )
    assert not {clip.name for clip in dev} & {clip.name for clip in data.scored("test")}
    again = load(AnomalyData(machines=str(fan), dev_share=0.5), tmp_path)
    assert again.fingerprint() == data.fingerprint()
    other = load(AnomalyData(machines=str(fan), dev_share=0.25), tmp_path)
    assert other.fingerprint() != data.fingerprint()


def test_without_test_clips_a_part_of_the_training_is_dev(tmp_path, log_lines):
    folder = write(tmp_path / "fan", [f"train/normal_{index}" for index in range(4)])
    data = load(AnomalyData(machines=str(folder)), tmp_path)
    assert {name: len(clips) for name, clips in data.recordings.items()} == {"train": 3, "dev": 1}
    assert any("dev has no anomalies" in line for line in log_lines)
    with pytest.raises(UsageError, match="no 'test' split"):
        data.scored("test")


def test_files_that_are_too_short_are_left_out(fan, tmp_path, log_lines):
    soundfile.write(fan / "train/normal_id_00_9.wav", np.ones(100), 16_000)
    data = load(AnomalyData(machines=str(fan)), tmp_path)
    assert len(data.recordings["train"]) == 4
    assert any("1 of 21 files" in line for line in log_lines)


def test_synthetic_hums_are_those_of_their_seed():
    first, again = (hum(0, False, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, hum(0, True, np.random.default_rng(1)))
    assert np.abs(first).max() < 1


def test_the_front_end_normalises_each_band():
    levels = np.random.default_rng(0).normal(-40, [1] * 127 + [0], (500, 128)).astype(np.float32)
    frontend = LogMelFrontEnd().measured(levels)
    assert frontend.std[-1] == pytest.approx(0.1, rel=0.1)  # a tenth of the median: not blown up
    assert replace(frontend, mean=(), std=()) == LogMelFrontEnd()
