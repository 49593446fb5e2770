import dataclasses
import json
import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.shared.speech_data import AS_RECORDED
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.config import MagnitudePruning, MixtureData, SyntheticSpeechData
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.records import write_text
from tinyprune.storage.run_folder import Workspace

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path / "run")


def finish(variant, stage="train", inputs=None, **files):
    """A finished stage with files of the given contents; ``model_keras`` is ``model.keras``."""
    variant.folder.mkdir(parents=True, exist_ok=True)
    named = {name.replace("_", "."): content for name, content in files.items()}
    for name, content in named.items():
        (variant.folder / name).write_text(content)
    variant.finish(stage, inputs or {}, [*named])


def begun(space):
    """A variant of which an epoch was trained."""
    variant = space.variant("w")
    variant.folder.mkdir(parents=True)
    (variant.folder / "checkpoint.npz").touch()
    return variant


def test_the_first_claim_names_the_variant_and_the_same_one_holds(space):
    variant = space.variant("weight-0.80")
    for _ in range(2):
        variant.claim({"prune": MagnitudePruning(sparsity=0.8), "baseline_sha256": "abc"})
    assert variant.configuration()["prune"]["sparsity"] == 0.8
    assert variant.folder == space.root / "variants/weight-0.80"


def test_another_configuration_is_refused_with_the_key_that_differs(space):
    variant = begun(space)
    variant.claim({"prune": MagnitudePruning(sparsity=0.8), "data": SyntheticSpeechData()})
    with pytest.raises(UsageError) as caught:
        variant.claim(
            {"prune": MagnitudePruning(sparsity=0.9), "data": SyntheticSpeechData(snr_db=(0, 5))}
        )
    assert str(caught.value) == (
        f"{variant.folder} exists with another configuration "
        "(prune.sparsity: 0.8, now 0.9; data.snr_db: [-6.0, 9.0], now [0, 5]): "
        "choose another --name or --run, or delete that folder"
    )
    assert variant.configuration()["prune"]["sparsity"] == 0.8


def test_settings_that_are_newer_than_a_claim_had_their_defaults(space):
    variant = begun(space)
    older = {"data": {"name": "mixture", "speech": "/s", "noise": "/n"}, "data_sha256": "abc"}
    variant.claim(older)
    now = MixtureData(speech="/s", noise="/n", **AS_RECORDED)
    variant.claim({"data": now, "data_sha256": "abc"})
    assert variant.configuration() == older
    with pytest.raises(UsageError, match=r"data\.babble: 0\.0, now 0\.2"):
        variant.claim({"data": dataclasses.replace(now, babble=0.2), "data_sha256": "abc"})


def test_at_most_three_differences_are_named_and_long_ones_cut(space):
    variant = begun(space)
    variant.claim({"a": 1, "b": "x" * 100, "c": 1, "d": 1})
    with pytest.raises(
        UsageError, match=rf'\(a: 1, now 2; b: "{"x" * 36}\.\.\., now 2; c: 1, now 2\)'
    ):
        variant.claim({"a": 2, "b": 2, "c": 2, "d": 2})


def test_a_key_more_or_less_is_a_difference(space):
    variant = begun(space)
    variant.claim({"a": 1})
    with pytest.raises(UsageError, match=r"\(b: null, now 2\)"):
        variant.claim({"a": 1, "b": 2})


def test_a_claim_is_undone_where_its_stage_was_asked_for_something_wrong(space):
    variant = space.variant("w")
    with pytest.raises(UsageError, match="not so"), variant.claimed({"a": 1}):
        assert variant.configuration() == {"a": 1}
        raise UsageError("not so")
    assert not variant.folder.exists()
    with variant.claimed({"a": 1}):
        finish(variant, model_keras="abc")
    with pytest.raises(UsageError, match="not so"), variant.claimed({"a": 1}):
        raise UsageError("not so")
    assert variant.is_done("train")


@pytest.mark.parametrize("error", [TinypruneError, KeyboardInterrupt, MemoryError])
def test_a_claim_of_a_failed_start_is_replaced(space, error):
    variant = space.variant("w")
    with pytest.raises(error), variant.claimed({"a": 1}):
        (variant.folder / "history.csv").touch()
        raise error
    assert variant.configuration() == {"a": 1}
    variant.claim({"a": 2})
    assert variant.configuration() == {"a": 2}
    assert [path.name for path in variant.folder.iterdir()] == ["variant.json"]


def test_a_claim_with_an_epoch_behind_it_stays(space):
    variant = space.variant("w")
    with pytest.raises(KeyboardInterrupt), variant.claimed({"a": 1}):
        (variant.folder / "checkpoint.npz").touch()
        raise KeyboardInterrupt
    with pytest.raises(UsageError, match="exists with another configuration"):
        variant.claim({"a": 2})


def test_a_training_that_was_refused_frees_its_name(space):
    variant = space.variant("w")
    with pytest.raises(CheckFailed), variant.claimed({"a": 1}):
        (variant.folder / "checkpoint.npz").touch()
        raise CheckFailed("destroyed")
    assert variant.refusal() == "destroyed"
    variant.claim({"a": 2})
    assert (variant.configuration()["a"], variant.refusal()) == (2, "")


def test_what_was_refused_and_goes_well_the_next_time_is_refused_no_more(space):
    variant = space.variant("w")
    with pytest.raises(CheckFailed), variant.claimed({"a": 1}):
        raise CheckFailed("destroyed")
    with variant.claimed({"a": 1}):
        finish(variant)
    assert variant.refusal() == ""


def test_a_check_that_fails_after_the_training_keeps_the_name(space):
    finished = space.variant("done")
    with pytest.raises(CheckFailed), finished.claimed({"a": 1}):
        finish(finished)
        raise CheckFailed("its int8 graph is too far")
    with pytest.raises(UsageError, match="exists with another configuration"):
        finished.claim({"a": 2})


def test_a_damaged_claim_is_one_line(space):
    variant = space.variant("w")
    variant.claim({"a": 1})
    (variant.folder / "variant.json").write_text("{")
    with pytest.raises(
        TinypruneError,
        match=r"variants/w/variant\.json cannot be read \(.*\); put it back, or delete .*/variants/w$",
    ):
        variant.claim({"a": 1})


def test_a_stage_is_done_once_it_is_finished(space):
    variant = space.variant("w")
    assert not variant.is_done("train")
    finish(variant, model_keras="abc")
    assert variant.is_done("train")
    assert not variant.is_done("export")
    assert variant.output_sha256("train", "model.keras") == ABC


def test_a_missing_file_undoes_a_stage(space):
    variant = space.variant("w")
    finish(variant, model_keras="abc", size_json="1")
    (variant.folder / "size.json").unlink()
    assert not variant.is_done("train")


def test_changed_inputs_undo_a_stage(space):
    variant, target = space.variant("w"), NpuTarget("ethos-u55-128", "S", "M")
    finish(variant, "export", {"model": "abc", "target": target})
    assert variant.is_done("export")
    assert variant.is_done("export", {"model": "abc", "target": target})
    assert not variant.is_done("export", {"model": "abd", "target": target})
    assert not variant.is_done(
        "export", {"model": "abc", "target": NpuTarget("ethos-u55-128", "S", "N")}
    )


def test_a_damaged_record_of_a_stage_is_one_line(space):
    variant = space.variant("w")
    finish(variant, model_keras="abc")
    (variant.folder / "train.json").write_text("{")
    with pytest.raises(
        TinypruneError,
        match=r"variants/w/train\.json cannot be read \(.*\); delete it and run again$",
    ):
        variant.is_done("train")


def test_a_changed_file_is_refused_with_what_to_do(space):
    variant = space.variant("w")
    finish(variant, model_keras="abc", size_json="1")
    (variant.folder / "model.keras").write_text("abd")
    assert variant.has_files("train")
    assert not variant.is_intact("train")
    with pytest.raises(TinypruneError) as caught:
        variant.is_done("train")
    assert str(caught.value).startswith(
        f"{variant.folder}/model.keras has changed since it was made: "
        "put it back, or delete it and run `"
    )
    (variant.folder / "model.keras").unlink()
    assert not variant.is_done("train")


def test_a_stage_of_another_claim_is_not_done(space):
    variant = space.variant("w")
    variant.claim({"seed": 0})
    finish(variant, model_keras="abc")
    (variant.folder / "variant.json").unlink()
    variant.claim({"seed": 1})
    assert not variant.is_done("train")


def test_records_of_0_1_0_have_no_digest_and_are_believed(space):
    variant = space.variant("w")
    variant.claim({"a": 1})
    finish(variant, model_keras="abc")
    for path in variant.folder.glob("*.json"):
        record = json.loads(path.read_text())
        record.pop("claim_sha256", None)
        record.pop("record_sha256")
        path.write_text(json.dumps(record))
    assert variant.is_done("train")
    assert set(space.check().values()) == {"unverified", "unchanged"}


def test_variants_come_baseline_first_then_in_order_of_creation(space):
    for age, name in enumerate(["z", BASELINE, "a", "m"]):
        finish(space.variant(name), model_keras=name)
        os.utime(space.variant(name).folder / "train.json", (age, age))
    space.variant("claimed-only").claim({})
    assert [variant.name for variant in space.variants()] == [BASELINE, "z", "a", "m"]


def test_an_empty_run_has_no_variants(space):
    assert space.variants() == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../up", "a b", "a\nb", "a\0b", "ü", "-x"]
)
def test_a_name_that_cannot_be_a_folder(space, name):
    with pytest.raises(
        UsageError, match=r"cannot be the name of a variant: expected letters, digits, '-', '_' and"
    ):
        space.variant(name)


HOLDER = """
import sys
from pathlib import Path
from tinyprune.storage.run_folder import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_two_processes_cannot_work_in_one_run(space):
    command = [sys.executable, "-c", HOLDER, str(space.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        message = f"^another tinyprune works in {space.root}: wait for it, or choose another --run$"
        with pytest.raises(TinypruneError, match=message), space.locked():
            raise AssertionError("both are in")
        other.kill()
    with space.locked() as entered:
        assert entered is space


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_run_that_is_deleted_while_it_is_worked_in_does_not_come_back(space, comes_back):
    """``comes_back``: by another command, in the same place."""
    variant = space.variant("w")
    with space.locked(), variant.claimed({"a": 1}):
        write_text(variant.folder / "history.csv", "1")
        shutil.rmtree(space.root)
        if comes_back:
            other = space.variant("other")
            other.folder.mkdir(parents=True)
        message = f"{space.root} was deleted while this command worked in it: it stops"
        with pytest.raises(TinypruneError, match=message):
            write_text(variant.folder / "history.csv", "2")
    assert not variant.folder.exists()
    assert space.root.exists() == comes_back


def test_a_variant_that_is_deleted_while_it_is_trained_does_not_come_back(space):
    variant = space.variant("w")
    with space.locked(), variant.claimed({"a": 1}):
        shutil.rmtree(variant.folder)
        with pytest.raises(TinypruneError, match=f"{variant.folder} was deleted while"):
            write_text(variant.folder / "history.csv", "2")
        write_text(space.root / "summary-x.json", "{}")
    assert not variant.folder.exists()


def test_what_is_missing_while_another_process_works_is_waited_for(space):
    assert space.advice("train first") == "train first"
    command = [sys.executable, "-c", HOLDER, str(space.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        assert space.advice("train first") == "another tinyprune works in it, wait for that"
        with pytest.raises(UsageError, match="no run in .*: another tinyprune works in it, wait"):
            space.check()
        other.kill()
    assert space.advice("train first") == "train first"


def test_a_failure_inside_unlocks(space):
    with pytest.raises(ValueError, match="inside"), space.locked():
        raise ValueError("inside")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(space.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.read() == b"locked\n"


def test_a_run_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            TinypruneError,
            match=r"^cannot write in .*/file/run: (File exists|Not a directory); choose another --run$",
        ),
        Workspace(tmp_path / "file/run").locked(),
    ):
        raise AssertionError("nothing to work in")


def test_a_run_folder_that_is_read_only(read_only_folder):
    with (
        pytest.raises(
            TinypruneError,
            match=r"^cannot write in .*: Read-only file system; choose another --run$",
        ),
        Workspace(read_only_folder / "run").locked(),
    ):
        raise AssertionError("nothing to work in")
