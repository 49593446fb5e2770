import json
import os
import time

import pytest

from tinyprune.errors import TinypruneError
from tinyprune.storage.digests import (
    CHANGED,
    MISSING,
    UNCHANGED,
    UNVERIFIED,
    read_sealed,
    sealed_state,
    sha256,
    stamp_of,
    state_of,
    write_sealed,
)

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_sha256(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc") == ABC


def test_a_file_is_read_once_and_again_when_its_time_is_another(tmp_path):
    path = tmp_path / "abc"
    for text in ("abc", "abd"):
        path.write_text(text)
        assert (sha256(path) == ABC) == (text == "abc")  # both within a second, of the same size
        os.utime(path, (1, 1))
    assert state_of(path, ABC) == CHANGED


def test_the_states_of_a_file(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert state_of(tmp_path / "abc", ABC) == UNCHANGED
    assert state_of(tmp_path / "abc", "0" * 64) == CHANGED
    assert state_of(tmp_path / "abd", ABC) == MISSING


def test_the_content_is_read_where_the_stamp_is_another(tmp_path):
    path = tmp_path / "abc"
    path.write_text("abc")
    stamp = stamp_of(path)
    assert state_of(path, "0" * 64, stamp) == UNCHANGED  # the content is not looked at
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    time.sleep(0.02)  # a tick of the clock of the disk
    path.write_text("abd")
    os.utime(path, ns=times)  # back, as somebody does who hides it
    assert state_of(path, ABC, stamp) == CHANGED


def test_a_record_comes_back_and_an_edited_one_does_not(tmp_path):
    path = tmp_path / "a.json"
    write_sealed(path, {"zeros": 0.8, "levels": (1, 2), "none": None})
    assert read_sealed(path, "delete it") == {"zeros": 0.8, "levels": [1, 2], "none": None}
    assert sealed_state(path) == UNCHANGED
    path.write_text(path.read_text().replace("0.8", "0.9"))
    assert sealed_state(path) == CHANGED
    with pytest.raises(TinypruneError, match=r"a\.json has changed since it was written; delete"):
        read_sealed(path, "delete it")


def test_a_record_without_a_digest_is_unverified_and_read(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"zeros": 0.8}))
    assert sealed_state(path) == UNVERIFIED
    assert read_sealed(path, "delete it") == {"zeros": 0.8}


@pytest.mark.parametrize("text", ["{", "", "3", "[1]"])
def test_what_is_no_record_is_one_line(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert sealed_state(path) == CHANGED
    with pytest.raises(TinypruneError, match=r"a\.json cannot be read \(.*\); delete it"):
        read_sealed(path, "delete it")
