import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from tinyprune.errors import TinypruneError
from tinyprune.storage.writing import write_arrays, writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new/model.keras"
    with writing(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.suffix == ".keras"
        assert part.parent == path.parent  # the same file system: renaming is one step
    assert names(tmp_path / "new") == ["model.keras"]
    assert path.read_text() == "half"


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="broken"), writing(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise ValueError("broken")
    assert names(tmp_path) == []


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(TinypruneError) as caught, writing(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    advice = "free some space or choose another place"
    assert str(caught.value) == f"cannot write {path}: No space left on device; {advice}"
    assert names(tmp_path) == []


def test_a_disk_that_is_really_full(tiny_disk):
    """Of 64 KiB; 100,000 numbers are 800,000 bytes."""
    with pytest.raises(
        TinypruneError, match=r"cannot write .*/big\.npz: No space left on device; free some space"
    ):
        write_arrays(tiny_disk / "big.npz", {"a": np.random.default_rng(0).random(100_000)})
    assert names(tiny_disk) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            TinypruneError, match=r"cannot write .*/file/a.txt: (File exists|Not a directory); free"
        ),
        writing(tmp_path / "file/a.txt"),
    ):
        raise AssertionError("nothing to write to")


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for writer in (process.pid, os.getppid()):
        (tmp_path / f".{writer}.part.a.txt").touch()
    (tmp_path / f".{process.pid}.part.other.txt").touch()
    with writing(tmp_path / "a.txt") as part:
        part.touch()
    assert names(tmp_path) == sorted(
        ["a.txt", f".{os.getppid()}.part.a.txt", f".{process.pid}.part.other.txt"]
    )


def test_arrays_come_back(tmp_path):
    write_arrays(tmp_path / "masks.npz", {"dense/kernel": np.eye(3, dtype=bool)})
    with np.load(tmp_path / "masks.npz") as arrays:
        np.testing.assert_array_equal(arrays["dense/kernel"], np.eye(3, dtype=bool))
