"""Compilations in parallel: in order, as if they were alone, and a failure ends the rest."""

import pytest

from tinyprune.errors import UsageError
from tinyprune.npu import targets, vela
from tinyprune.npu.batch import Compilation, compile_batch

U55, U85 = targets.resolve("ethos-u55-32"), targets.resolve("ethos-u85-256")


def test_results_come_in_the_order_of_the_jobs(networks, tmp_path) -> None:
    jobs = [
        Compilation(networks.dense(), target, tmp_path / target.name)
        for target in (U55, U85, U55, U85)
    ]
    made = compile_batch(jobs)
    assert [artifact.report.target for artifact in made] == [U55, U85, U55, U85]
    assert made[0].report == vela.compile_tflite(networks.dense(), U55, tmp_path / "alone").report


@pytest.mark.slow
def test_twenty_at_once_into_one_folder(networks, tmp_path) -> None:
    made = compile_batch([Compilation(networks.dense(), U55, tmp_path / "out")] * 20, workers=20)
    assert len({artifact.sha256 for artifact in made}) == 1
    assert not list((tmp_path / "out").glob(".vela-*"))


def test_the_first_failure_is_the_error_and_the_rest_is_dropped(networks, tmp_path) -> None:
    missing = Compilation(tmp_path / "none.tflite", U55, tmp_path / "none")
    later = [Compilation(networks.dense(), U55, tmp_path / str(number)) for number in range(8)]
    with pytest.raises(UsageError, match="none.tflite does not exist"):
        compile_batch([missing, *later], workers=1)
    assert len(list(tmp_path.glob("*/*_vela.tflite"))) < 8


def test_nothing_to_do(tmp_path) -> None:
    assert compile_batch([]) == []
