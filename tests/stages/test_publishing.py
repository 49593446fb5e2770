"""Folders to publish: complete, checked by sha256sum, and usable on their own."""

import subprocess

import pytest
from click.testing import CliRunner

from tinyprune import pretrained
from tinyprune.cli import main
from tinyprune.stages.publishing import Publication, of_variant


def invoke(*arguments: object):
    return CliRunner().invoke(main, ["card", *map(str, arguments)])


def test_the_folder_of_the_network_in_the_package(tmp_path):
    folder = tmp_path / "new" / "denoiser"
    result = invoke("pretrained", "--folder", folder)
    names = ["denoiser.tflite", "denoiser.frontend.json", "README.md", "SHA256SUMS"]
    assert result.output.split() == [str(folder / name) for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    graph = folder / "denoiser.tflite"
    assert graph.read_bytes() == pretrained.denoiser().read_bytes()
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True)
    assert checked.returncode == 0
    assert checked.stdout.count(b": OK") == 3


def test_the_same_again_changes_nothing(tmp_path):
    first = invoke("pretrained", "--folder", tmp_path / "a")
    before = (tmp_path / "a" / "SHA256SUMS").read_text()
    second = invoke("pretrained", "--folder", tmp_path / "a")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (tmp_path / "a" / "SHA256SUMS").read_text() == before


def test_a_folder_of_something_else_stays_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    result = invoke("pretrained", "--folder", tmp_path)
    assert result.exit_code == 2
    assert "holds thesis.tex, which is not of this network: expected a new folder" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    result = invoke("pretrained", "--folder", tmp_path / "file")
    assert result.exit_code == 2
    assert "is no folder: expected a new or an empty one" in result.output


def test_two_places_for_one_card(tmp_path):
    result = invoke("pretrained", "--folder", tmp_path / "a", "-o", tmp_path / "b")
    assert result.exit_code == 2
    assert "give one of them" in result.output


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            ["weight-0.80/int8.frontend.json", "baseline/frontend.json"],
            "weight-0.80/int8.frontend.json",
        ),
        (["baseline/frontend.json"], "baseline/frontend.json"),
        ([], None),
    ],
)
def test_the_front_end_is_that_of_the_graph_or_of_the_data(tmp_path, files, found):
    for name in files:
        path = tmp_path / "variants" / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    publication = of_variant(tmp_path, "weight-0.80", "int8.tflite")
    variants = tmp_path / "variants"
    graph = variants / "weight-0.80" / "int8.tflite"
    assert publication == Publication(graph, variants / found if found else None)
    names = ["int8.tflite", "int8.frontend.json"] if found else ["int8.tflite"]
    assert list(publication.contents) == names
