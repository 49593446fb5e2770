"""A pruning whose int8 graph is refused is no reason to refuse the other variants."""

import shutil

import numpy as np
import pytest

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import CheckFailed
from tinyprune.report.model.collection import collect_report
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.export import export_variant
from tinyprune.storage.run_folder import Workspace

TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")


@pytest.fixture
def run(run_copy, tiny_sizes):
    """A finished run with one more pruning: its masks say of all weights that they are zero."""
    del tiny_sizes
    space = Workspace(run_copy)
    shutil.copytree(space.variant("weight-0.80").folder, space.variant("broken").folder)
    broken = space.variant("broken")
    outputs = list(broken.files("train"))
    with np.load(broken.folder / "masks.npz") as stored:
        masks = {name: np.zeros_like(mask) for name, mask in stored.items()}
    np.savez(broken.folder / "masks.npz", **masks)
    (broken.folder / "export.json").unlink()
    broken.finish("train", {}, outputs)
    return run_copy


@pytest.mark.slow
def test_the_others_are_compiled_and_it_is_said_why(run, caplog):
    [summary] = compile_variants(run, [TARGET])
    assert [variant.name for variant in summary.variants] == ["baseline", "weight-0.80"]
    [line] = [text for text in caplog.messages if "left out" in text]
    assert line.startswith("broken is left out: ")
    notes = collect_report(Workspace(run)).notes
    assert [note for note in notes if note.startswith("broken was refused: ")]
    assert not [note for note in notes if "does not have broken" in note]


@pytest.mark.slow
def test_an_export_of_it_alone_is_refused_and_the_reason_goes_where_it_passes(run, finished_run):
    broken = Workspace(run).variant("broken")
    with pytest.raises(CheckFailed) as caught:
        export_variant(run, "broken")
    assert broken.refusal() == str(caught.value)
    shutil.copy2(
        Workspace(finished_run.folder).variant("weight-0.80").folder / "masks.npz", broken.folder
    )
    broken.finish("train", {}, list(broken.files("train")))
    export_variant(run, "broken")
    assert broken.refusal() == ""
