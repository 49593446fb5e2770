"""Trials of a sweep on disk: an edited one is not believed."""

import json
from types import SimpleNamespace

import pytest

from tinyprune.artifacts.sweep import DONE, FinalScore, TrialRecord
from tinyprune.config import SweepConfig, SweepStep, TargetConfig
from tinyprune.errors import TinypruneError
from tinyprune.search.space import every_chain
from tinyprune.search.trials import TrialFolder
from tinyprune.stages.sweep_trial import scores_of

TRIAL = TrialRecord(0, "sweep-1", "weight-0.50", "weight-0.50", DONE, value=0.5)
FINAL = FinalScore("sweep-1", "0" * 64, 0.5, None, None)


@pytest.fixture
def folder(tmp_path) -> TrialFolder:
    made = TrialFolder(tmp_path / "sweep")
    made.study_name(SweepConfig(), TargetConfig())
    return made


def edit(folder: TrialFolder, pattern: str) -> None:
    """Make a score better by hand."""
    [path] = folder.root.glob(pattern)
    path.write_text(path.read_text().replace("0.5", "0.9"))


def test_what_is_kept_comes_back(folder):
    folder.keep(TRIAL)
    folder.keep_final(FINAL)
    assert folder.records() == [TRIAL]
    assert folder.final_scores() == (FINAL,)


def test_an_edited_trial_is_not_believed(folder):
    folder.keep(TRIAL)
    edit(folder, "trials/*.json")
    with pytest.raises(TinypruneError, match="has changed since it was written; delete it and run"):
        folder.records()


def test_an_edited_score_on_test_is_not_believed(folder):
    folder.keep_final(FINAL)
    edit(folder, "final.json")
    with pytest.raises(TinypruneError, match="has changed since it was written"):
        folder.final_scores()


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_names_of_any_shape_are_one_line(content, folder):
    [(_, chain)] = every_chain(SweepConfig(step=(SweepStep(sparsity=(0.5,)),)), TargetConfig())
    assert folder.names(chain) == ("sweep-1",)
    path = folder.root / "variants.json"
    assert set(json.loads(path.read_text())) == {*chain.digests(), "record_sha256"}
    path.write_bytes(content)
    with pytest.raises(TinypruneError, match="delete it and run the same command again"):
        folder.names(chain)


@pytest.mark.parametrize("content", [b"", b"[]", b"PK\x03\x04", b"\xff" * 50])
def test_scores_that_cannot_be_read_are_one_line(content, folder):
    run = SimpleNamespace(space=SimpleNamespace(root=folder.root.parent))
    path = folder.root / "scores/sweep-1.npz"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(TinypruneError, match=r"sweep-1.npz cannot be read .* delete it and run"):
        scores_of(run, "sweep-1")
