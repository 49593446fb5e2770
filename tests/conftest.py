"""Fixtures of several rooms: runs and networks that are made once per session; the log; bad disks."""

import errno
import gc
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import mounted
from tests.support.int8_files import Networks
from tests.support.own_network import TINY_NET
from tests.support.runs import ImageRun, SpeechRun, StructuresRun
from tests.support.runs import tiny_sizes as tiny
from tests.support.scheduling import RunsOnce
from tests.support.speech_networks import write_speech_run


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Let the tests of one finished run stay in one process, so that the run is made once."""
    return RunsOnce(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let garbage collection leave out what is imported by now, and come seldom.

    Every graph of TensorFlow is many objects; looking for circles among them takes an eighth of
    the time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """Small ``.tflite`` files."""
    return Networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> SpeechRun:
    """A run on speech; not to be changed."""
    return SpeechRun(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def run_copy(finished_run: SpeechRun, tmp_path: Path) -> Path:
    """A run on speech of one's own, to change."""
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def speech_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with two untrained networks for speech, "baseline" and the newer "small"."""
    run = tmp_path_factory.mktemp("speech") / "run"
    write_speech_run(run)
    return run


@pytest.fixture(scope="session")
def own_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``tiny_net.py``, whose modules can be imported."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "tiny_net.py").write_text(TINY_NET)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="session")
def image_run(own_network: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageRun:
    """A run on pictures; not to be changed."""
    return ImageRun(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def structures_run(image_run: ImageRun, tmp_path_factory: pytest.TempPathFactory) -> StructuresRun:
    """A run on pictures with more structures, for slow tests; not to be changed."""
    return StructuresRun(image_run, tmp_path_factory.mktemp("structures"))


@pytest.fixture
def image_run_copy(image_run: ImageRun, tmp_path: Path) -> Path:
    """A run on pictures of one's own, to change."""
    return Path(shutil.copytree(image_run.folder, tmp_path / "run"))


@pytest.fixture
def tiny_sizes() -> Iterator[None]:
    """Trainings of speech take seconds."""
    with tiny():
        yield


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """What tinyprune says on its logger, whether or not a command line has been set up before."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, logger = Keep(), logging.getLogger("tinyprune")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be put in its place any more."""

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with mounted(tmp_path / "disk", "size=64k") as folder:
        yield folder


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot be written, not even by root."""
    with mounted(tmp_path / "disk", "size=64k,ro") as folder:
        yield folder
