"""``tinyprune firmware``: what it prints, and every bad input as one line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyprune import pretrained
from tinyprune.artifacts.firmware import FirmwareRecord
from tinyprune.cli import main
from tinyprune.errors import TinypruneError
from tinyprune.firmware import c_text
from tinyprune.firmware.device_build import Measurement
from tinyprune.firmware.device_model import c_identifier
from tinyprune.firmware.folder import RECORD_NAME, check_free, write_folder
from tinyprune.npu import targets, vela
from tinyprune.stages import firmware as stage
from tinyprune.storage.digests import write_sealed

U55 = targets.resolve("ethos-u55-128")
RECORD = FirmwareRecord(
    name="net",
    kind="numbers",
    tinyprune_version="0",
    vela_version="5.2.0",
    target=U55,
    source="net.tflite",
    source_sha256="",
    compiled_sha256="",
    command_bytes=1,
    constant_bytes=2,
    table_bytes=3,
    arena_bytes=4,
    fast_bytes=0,
)


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["firmware", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def refused(*arguments: object) -> str:
    """The one line of an error."""
    code, out, said = run(*arguments)
    assert (code, out) == (2, "")
    [line] = [line for line in said.splitlines() if line.startswith("error: ")]
    return line


# --- the folder


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "mine.c").write_text("int x;")
    line = refused("pretrained", "-o", tmp_path)
    assert "is not empty, and not made by `tinyprune firmware`" in line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.c"]
    assert "is a file: expected a folder" in refused("pretrained", "-o", tmp_path / "mine.c")


def test_an_earlier_firmware_is_replaced_and_files_beside_it_stay(tmp_path):
    write_folder(tmp_path, {"src/a.c": "a", "src/b.c": "b"}, RECORD)
    (tmp_path / "mine.c").write_text("int x;")
    check_free(tmp_path)
    made = write_folder(tmp_path, {"src/a.c": "new"}, RECORD)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["a.c", RECORD_NAME, "mine.c"]
    assert [*made.files] == ["src/a.c"]
    assert made.is_complete


def test_a_file_that_was_edited_is_not_replaced(tmp_path):
    write_folder(tmp_path, {"src/a.c": "a"}, RECORD)
    (tmp_path / "src/a.c").write_text("edited")
    line = refused("pretrained", "-o", tmp_path)
    assert "src/a.c was changed after it was generated" in line
    assert "--force" in line


def test_what_was_interrupted_is_written_again(tmp_path, monkeypatch):
    files = {"src/a.c": "a", "src/b.c": "b"}

    def full(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tinyprune.firmware.folder.write_text", full)
        write_folder(tmp_path, files, RECORD)
    check_free(tmp_path)
    assert write_folder(tmp_path, files, RECORD).is_complete


def test_a_name_that_could_not_be_written_does_not_block_the_next(tmp_path):
    with pytest.raises(TinypruneError, match="File name too long"):
        write_folder(tmp_path, {f"src/{'x' * 300}.c": "a"}, RECORD)
    check_free(tmp_path)
    assert write_folder(tmp_path, {"src/a.c": "a"}, RECORD).is_complete


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"files": {"../../x": ""}}'])
def test_a_record_that_is_none_does_not_free_a_folder(content, tmp_path):
    (tmp_path / RECORD_NAME).write_text(content)
    assert "is not empty" in refused("pretrained", "-o", tmp_path)


# --- the network


@pytest.mark.slow
def test_operators_of_the_cpu_are_named(networks, tmp_path):
    line = refused(networks.strided(), "-o", tmp_path / "out")
    assert "leaves CONV_2D to the CPU" in line
    assert "--runtime tflm" in line
    assert not (tmp_path / "out").exists()


def compiled(tmp_path: Path) -> Path:
    return vela.compile_tflite(pretrained.denoiser(), U55, tmp_path / "vela").path


def test_a_compiled_file_of_another_vela_or_target_is_refused(tmp_path):
    path = compiled(tmp_path)
    place = path.with_name(vela.RECORD_NAME)
    line = refused(path, "-o", tmp_path / "out", "--npu", "ethos-u55-256")
    assert "was compiled for ethos-u55-128" in line

    record = json.loads(place.read_text())
    record["report"]["vela_version"] = "4.2.0"
    record.pop("record_sha256", None)
    write_sealed(place, record)
    line = refused(path, "-o", tmp_path / "out")
    assert "was compiled by Vela 4.2.0, here is Vela" in line

    place.unlink()
    assert "report.json beside it is missing" in refused(path, "-o", tmp_path / "out")


def test_front_ends_that_cannot_be_made_are_refused(tmp_path):
    record = tmp_path / "frontend.json"
    out = ["-o", tmp_path / "out", "--frontend", record]
    assert "there is no file" in refused("pretrained", *out)
    record.write_text('{"hop": 512, "fft": 1024, "frames": 5}')
    assert "does not describe a front end that can be made in C" in refused("pretrained", *out)
    record.write_text("not json")
    assert "is no front end" in refused("pretrained", *out)
    record.write_text('{"hop": ' + "9" * 5_000 + "}")  # more digits than Python converts
    assert "is no front end" in refused("pretrained", *out)

    front_end = json.loads(pretrained.denoiser().with_suffix(".frontend.json").read_text())
    record.write_text(json.dumps(front_end | {"input_scale": 0.5}))
    assert "is the front end of another network" in refused(compiled(tmp_path), *out)
    record.write_text(json.dumps(front_end | {"mean": [0.0], "std": [1.0], "bands": 1}))
    assert "is no front end of a network" in refused("pretrained", *out)
    assert "give one of them" in refused("pretrained", *out, "--raw-features")


def test_networks_and_variants_that_are_not_there(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.tflite", "-o", tmp_path / "out")
    run_folder = ["--run", tmp_path / "run"]
    assert "tinyprune train" in refused("weight-0.80", *run_folder, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("weight-0.80", "weight_0_80"),
        ("2nd", "network_2nd"),
        ("math", "network_math"),  # its header would hide that of the C library
        ("limits", "network_limits"),
        ("x" * 300, "x" * 48),  # it is the beginning of names of files
        ("Ä", "network"),
        ("*/ int x", "int_x"),
    ],
)
def test_names_become_identifiers_of_c(text, identifier):
    assert c_identifier(text) == identifier


def test_texts_cannot_end_a_comment_or_a_string():
    assert c_text.comment_text("*/ x\n") == "* / x\\n"
    assert c_text.c_string('a"\\\n?') == '"a\\042\\134\\012\\077"'


def test_a_name_that_is_no_identifier_is_made_one(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "measure", lambda folder, record: Measurement(None, "no tools"))
    path = compiled(tmp_path)
    code, out, said = run(path, "-o", tmp_path / "out", "--name", "2nd net!", "--format", "json")
    assert code == 0
    record = json.loads(out)
    assert record["name"] == "network_2nd_net"
    assert (tmp_path / "out/src/network_2nd_net.c").is_file()
    assert record["arena_bytes"] % 32 == 0
    assert "no tools" in said
