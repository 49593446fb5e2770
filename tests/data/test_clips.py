import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tinyprune.data.clips import EXACT, Clip, ClipIndex, open_store, power
from tinyprune.errors import TinypruneError
from tinyprune.storage.records import read_json

HALF_A_STEP = 0.5 / 32767


def noise(samples, seed=0, peak=1.0):
    return np.random.default_rng(seed).uniform(-peak, peak, samples).astype(np.float32)


def clips():
    """Three clips of 1000, 10 and 300 samples."""
    yield Clip("a", "anna", noise(1000, 1))
    yield Clip("b", "bert", np.arange(10, dtype=np.float32) / 10)
    yield Clip("c", "anna", noise(300, 2, peak=0.25))


def untouched():
    raise AssertionError("the clips are not needed")
    yield


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store.pcm", clips())


def test_samples_come_back_to_16_bits(store):
    for number, clip in enumerate(clips()):
        back = store.excerpt(number, 0, len(clip.samples))
        assert back.dtype == np.float32
        np.testing.assert_allclose(back, clip.samples, atol=HALF_A_STEP + 1e-7)


def test_samples_come_back_as_they_are_where_that_is_asked(tmp_path):
    exact = open_store(tmp_path / "exact.pcm", clips(), EXACT)
    same = open_store(tmp_path / "exact.pcm", untouched(), EXACT)
    for number, clip in enumerate(clips()):
        for store in (exact, same):
            back = store.excerpt(number, 0, len(clip.samples))
            np.testing.assert_array_equal(back, clip.samples)


def test_what_is_known_of_each_clip(store):
    assert len(store) == 3
    assert store.names == ["a", "b", "c"]
    assert store.groups == ["anna", "bert", "anna"]
    np.testing.assert_array_equal(store.lengths, [1000, 10, 300])
    np.testing.assert_allclose(
        store.rms, [np.sqrt(np.mean(clip.samples**2)) for clip in clips()], rtol=1e-4
    )


def test_an_excerpt_begins_where_one_asks(store):
    samples = next(clips()).samples
    np.testing.assert_allclose(
        store.excerpt(0, 250, 100), samples[250:350], atol=HALF_A_STEP + 1e-7
    )


def test_a_clip_that_is_too_short_is_repeated(store):
    """Of 0.0, 0.1, ... 0.9, 25 samples from number 7: 7 8 9 0 1 ... 9 0 1 ... 9 0 1."""
    expected = [number % 10 / 10 for number in range(7, 7 + 25)]
    np.testing.assert_allclose(store.excerpt(1, 7, 25), expected, atol=HALF_A_STEP + 1e-7)


def test_a_subset_is_a_view_of_some_clips(store):
    annas = store.subset(np.array([True, False, True]))
    assert annas.names == ["a", "c"]
    np.testing.assert_array_equal(annas.lengths, [1000, 300])
    np.testing.assert_array_equal(annas.excerpt(1, 0, 300), store.excerpt(2, 0, 300))
    assert annas.subset(np.array([False, True])).names == ["c"]


def test_a_second_open_does_not_touch_the_clips(store):
    again = open_store(store.path, untouched())
    assert again.index == store.index
    np.testing.assert_array_equal(again.excerpt(0, 0, 1000), store.excerpt(0, 0, 1000))


def test_the_hash_is_of_the_samples(tmp_path, store):
    same = open_store(tmp_path / "same.pcm", clips())
    other = open_store(tmp_path / "other.pcm", list(clips())[:2])
    assert store.index.sha256 == same.index.sha256 != other.index.sha256


def test_samples_beyond_full_scale_are_scaled_down(tmp_path):
    loud = np.array([2.0, -4.0, 1.0], np.float32)
    store = open_store(
        tmp_path / "loud.pcm", [Clip("loud", "x", loud), Clip("quiet", "x", loud / 8)]
    )
    np.testing.assert_allclose(store.excerpt(0, 0, 3), loud / 4, atol=HALF_A_STEP)
    np.testing.assert_allclose(store.excerpt(1, 0, 3), loud / 8, atol=HALF_A_STEP)


def test_a_source_of_clips_that_fails_leaves_nothing(tmp_path):
    def failing():
        yield next(clips())
        raise TinypruneError("the disk went away")

    with pytest.raises(TinypruneError, match="the disk went away"):
        open_store(tmp_path / "store.pcm", failing())
    assert list(tmp_path.iterdir()) == []


KILLED = """
import itertools, sys
from pathlib import Path
import numpy as np
from tinyprune.data.clips import Clip, open_store

def endless():
    for number in itertools.count():
        yield Clip(str(number), "x", np.ones(100_000, np.float32))
        if number == 10:
            print("busy", flush=True)

open_store(Path(sys.argv[1]), endless())
"""


def test_a_killed_writer_leaves_no_store_and_the_next_one_cleans_up(tmp_path):
    path = tmp_path / "store.pcm"
    writer = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"busy\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert [file.name for file in tmp_path.iterdir()] == [f".{writer.pid}.part.store.pcm"]
    assert open_store(path, clips()).names == ["a", "b", "c"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["store.json", "store.pcm"]


def test_a_store_that_is_cut_while_it_is_open_is_an_error(store):
    os.truncate(store.path, 100)
    with pytest.raises(TinypruneError, match="store.pcm ends too early: delete it and run again$"):
        store.excerpt(0, 0, 1000)


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from tinyprune.data.clips import Clip, open_store

def kibibytes(name):
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0])

second = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
names = [(str(number), str(number)) for number in range(3600)]
before = kibibytes("VmHWM")
store = open_store(Path(sys.argv[1]), (Clip(*name, second) for name in names))
for number in range(3600):
    store.excerpt(number, 0, 16_000)
print(store.path.stat().st_size // 1024, kibibytes("VmHWM") - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_hours(tmp_path):
    """An hour, 110 MiB, is written and read in a tenth of that."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "s.pcm")], capture_output=True, check=True
    )
    size, grown = map(int, done.stdout.split())
    assert size == 3600 * 16_000 * 2 // 1024
    assert grown < size / 10


def test_threads_read_at_once(store):
    expected = [store.excerpt(0, start, 100).tobytes() for start in range(900)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: store.excerpt(0, start, 100).tobytes(), range(900)))
    assert found == expected


def test_who_speaks_in_each_clip(tmp_path, store):
    assert store.speakers == ["anna", "bert", "anna"]
    flat = open_store(
        tmp_path / "flat.pcm", [Clip(clip.name, ".", clip.samples) for clip in clips()]
    )
    assert flat.speakers == [""] * 3


def test_power_is_the_mean_square():
    assert power(np.array([3, 4, 0, 0], np.float32)) == (9 + 16) / 4


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_damaged_store_is_written_again(store, damage):
    before = store.excerpt(0, 0, 1000)
    content = store.path.read_bytes()
    store.path.unlink()
    if damage == "short":
        store.path.write_bytes(content[:-2])
    np.testing.assert_array_equal(open_store(store.path, clips()).excerpt(0, 0, 1000), before)
    assert store.path.read_bytes() == content


@pytest.mark.parametrize("suffix", [".pcm", ".json"])
def test_a_store_that_has_changed_is_written_again(store, suffix, log_lines):
    before = store.excerpt(0, 0, 1000)
    path = store.path.with_suffix(suffix)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1", b"2", 1) if suffix == ".json" else bytes(len(content)))
    os.utime(path, (1, 1))
    again = open_store(store.path, clips())
    np.testing.assert_array_equal(again.excerpt(0, 0, 1000), before)
    assert [line.endswith("the audio is decoded again") for line in log_lines] == [True]


def test_a_store_that_was_copied_is_read_and_not_written_again(store, tmp_path):
    copy = tmp_path / "copy" / store.path.name
    copy.parent.mkdir()
    for suffix in (".pcm", ".json"):
        shutil.copy(store.path.with_suffix(suffix), copy.with_suffix(suffix))
    os.utime(copy, (1, 1))
    again = open_store(copy, untouched())
    np.testing.assert_array_equal(again.excerpt(0, 0, 1000), store.excerpt(0, 0, 1000))
    assert copy.stat().st_mtime == 1


def test_the_index_is_a_readable_record(store):
    index = read_json(store.path.with_suffix(".json"), ClipIndex)
    assert index.offsets == (0, 1000, 1000 + 10, 1000 + 10 + 300)
    assert store.path.stat().st_size == 2 * (1000 + 10 + 300)
