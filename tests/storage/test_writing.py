import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

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
            TinypruneError,
            match=r"cannot write .*/file/a.txt: (File exists|Not a directory); choose another place",
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


# --- what is there already


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "elsewhere/target.txt")
    for text in ("new", "newer"):  # a target that is not there is made
        with writing(link) as part:
            part.write_text(text)
        assert link.is_symlink()
        assert (tmp_path / "elsewhere/target.txt").read_text() == text
    assert names(tmp_path / "elsewhere") == ["target.txt"]


def test_links_in_a_circle_are_one_line(tmp_path):
    (tmp_path / "a.txt").symlink_to("b.txt")
    (tmp_path / "b.txt").symlink_to("a.txt")
    with pytest.raises(TinypruneError, match="cannot write"), writing(tmp_path / "a.txt") as part:
        part.write_text("nowhere")
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with writing(path) as part:
        part.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_fifo_is_written_to_and_stays(tmp_path):
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with writing(path) as part:
        assert part.parent != tmp_path
        assert part.suffix == ".txt"
        part.write_text("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert path.is_fifo()
    assert names(tmp_path) == ["pipe.txt"]


def test_a_terminal_is_written_to_and_stays(tmp_path):
    """Of this test: a pair of pseudo terminals. What goes into one comes out of the other."""
    screen, terminal = pty.openpty()
    link = tmp_path / "terminal"
    link.symlink_to(os.ttyname(terminal))
    with writing(link) as part:
        part.write_text("on the screen")
    assert os.read(screen, 100) == b"on the screen"
    assert link.is_char_device()
    os.close(terminal)
    os.close(screen)


@pytest.mark.parametrize("is_pipe", [True, False])
def test_standard_output_by_name_continues_what_was_printed(is_pipe, tmp_path):
    """The link stands for /dev/stdout, which is one of the same kind."""
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    program = """
import pathlib, sys
from tinyprune.storage.records import write_text
print("first")
write_text(pathlib.Path(sys.argv[1]), "second\\n")
print("third")
"""
    command = [sys.executable, "-c", program, str(link)]
    with (tmp_path / "out.txt").open("w+") as out:
        done = subprocess.run(command, stdout=subprocess.PIPE if is_pipe else out, check=True)
        out.seek(0)
        printed = done.stdout.decode() if is_pipe else out.read()
    assert printed.split() == ["first", "second", "third"]
    assert names(tmp_path) == ["out.txt", "stdout"]


@pytest.mark.parametrize("is_pipe", [True, False])
def test_standard_error_by_name_is_not_where_libraries_are_kept(is_pipe, tmp_path):
    """The link stands for /dev/stderr, which is one of the same kind."""
    link = tmp_path / "stderr"
    link.symlink_to("/proc/self/fd/2")
    program = """
import pathlib, sys
from tinyprune.cli import native_output
from tinyprune.storage.records import write_text
native_output.mute()
print("first", file=sys.stderr)
write_text(pathlib.Path(sys.argv[1]), "second\\n")
print("third", file=sys.stderr)
"""
    command = [sys.executable, "-c", program, str(link)]
    with (tmp_path / "err.txt").open("w+") as err:
        done = subprocess.run(command, stderr=subprocess.PIPE if is_pipe else err, check=True)
        err.seek(0)
        said = done.stderr.decode() if is_pipe else err.read()
    assert said.split() == ["first", "second", "third"]
    assert names(tmp_path) == ["err.txt", "stderr"]


def test_the_longest_name_can_be_written_and_leaves_no_orphan(tmp_path):
    path = tmp_path / ("n" * 250 + ".json")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for _ in range(2):
        with writing(path) as part:
            part.write_text("x")
            orphan = part.name.replace(str(os.getpid()), str(process.pid), 1)
        (tmp_path / orphan).touch()
    with writing(path) as part:
        part.write_text("y")
    assert names(tmp_path) == [path.name]


# --- on the disk


def test_content_and_names_are_on_the_disk_before_they_count(tmp_path, monkeypatch):
    """Real calls, noted in their order: the file, its new name, the folder; new folders first."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        done.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def noted_replace(part, target):
        done.append(("rename", target.name))
        return replace(part, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    root = tmp_path.name
    with writing(tmp_path / "new/newer/a.txt") as part:
        part.write_text("whole")
    assert done == [
        ("sync", root),
        ("sync", "new"),
        ("sync", f".{os.getpid()}.part.a.txt"),
        ("rename", "a.txt"),
        ("sync", "newer"),
    ]


def test_arrays_come_back(tmp_path):
    write_arrays(tmp_path / "masks.npz", {"dense/kernel": np.eye(3, dtype=bool)})
    with np.load(tmp_path / "masks.npz") as arrays:
        np.testing.assert_array_equal(arrays["dense/kernel"], np.eye(3, dtype=bool))
