"""Compiled networks against TFLM, byte by byte: on noise, and on dev with the metric."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.runs import tiny_sizes
from tinyprune import pretrained
from tinyprune.artifacts.resources import CompiledArtifact
from tinyprune.artifacts.stream_check import RECORD, StreamCheck
from tinyprune.cli import main
from tinyprune.errors import CheckFailed
from tinyprune.npu import targets, vela
from tinyprune.report.model.collection import collect_report
from tinyprune.stages import stream_check
from tinyprune.stages.compile import compile_variants
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import Workspace
from tinyprune.tflite.engines import LITERT, has_tflm
from tinyprune.tflite.reference import MIXED

U55 = targets.resolve("ethos-u55-128")
pytestmark = pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledArtifact:
    folder = tmp_path_factory.mktemp("compiled")
    return vela.compile_tflite(pretrained.denoiser(), U55, folder)


@pytest.fixture
def own_copy(compiled: CompiledArtifact, tmp_path: Path) -> CompiledArtifact:
    shutil.copy(compiled.path, tmp_path / "copy.tflite")
    return replace(compiled, path=tmp_path / "copy.tflite")


def test_the_denoiser_has_the_bytes_of_tflm_and_a_record(own_copy):
    [check] = stream_check.check_files([own_copy], 8)
    assert (check.bytes_off, check.bytes, check.inferences) == (0, 8 * 128, 8)
    assert (check.name, check.reference, check.reason) == ("pretrained", "TFLM", "")
    assert check.limit_percent == stream_check.WIDE_PERCENT  # an LSTM has numbers of 16 bit
    assert check.layers == ()  # Vela's tables are not beside this copy
    assert read_json(own_copy.path.parent / RECORD, StreamCheck) == check


def change(artifact: CompiledArtifact, old: bytes, new: bytes) -> None:
    content = artifact.path.read_bytes()
    assert content.count(old) == 1
    artifact.path.write_bytes(content.replace(old, new))


def test_a_changed_bias_is_found(own_copy):
    from tinyprune.npu.stream.network import CompiledNetwork
    from tinyprune.tflite.compiled import read_compiled

    constants = read_compiled(own_copy.path).steps[0].constants
    [program] = CompiledNetwork(own_copy.path).programs
    last = [settings for settings in program.settings if hasattr(settings, "scales")][-1]
    start = last.scales[0].start
    old = constants[start : start + 64]  # the first bytes are the bias of an output
    change(own_copy, old, bytes([old[0], old[1] ^ 0x40]) + old[2:])
    [check] = stream_check.check_files([own_copy], 8)
    assert check.bytes_off > 0
    with pytest.raises(CheckFailed, match="output bytes of the stream differ from TFLM"):
        stream_check.check_kept([replace(check, limit_percent=0.0)])


def test_a_changed_register_is_found(own_copy):
    # ACTIVATION_MIN = 0 of the layer with a ReLU, in the payload: a word of parameter and code.
    content = own_copy.path.read_bytes()
    word = np.uint32((-128 % 65536) << 16 | 0x126).tobytes()
    place = content.rindex(word)
    changed = np.uint32((-20 % 65536) << 16 | 0x126).tobytes()
    own_copy.path.write_bytes(content[:place] + changed + content[place + 4 :])
    [check] = stream_check.check_files([own_copy], 8)
    assert check.bytes_off > 0


def test_the_command_says_what_differs(tmp_path):
    run = CliRunner().invoke
    command = ["compile", "pretrained", "-o", str(tmp_path), "--verify=3", "--max-byte-error", "0"]
    result = run(main, command, catch_exceptions=False)
    assert result.exit_code == 0
    said = result.stdout.split("stream of ")[1]
    assert said.startswith(
        "pretrained on ethos-u55-128-shared-sram, 3 inferences on noise:\n"
        "  0 of 384 output bytes differ from TFLM\n"
        "  operations of the NPU: "
    )
    assert "  array: " in said


def checked(**changes) -> StreamCheck:
    """A check of two output bytes in each of four inferences, one byte a step off in each."""
    check = StreamCheck("net", "u55", "dev", 4, "LiteRT", "", 8, 4, 1.0, 0, 25.0)
    return replace(check, bytes_beyond=0, is_step_free=True, **changes)


def test_a_step_is_free_where_not_all_can_be_equal_and_more_is_not():
    stream_check.check_kept([checked()])
    with pytest.raises(CheckFailed, match="38 % of the output bytes .* by more than a step, first"):
        stream_check.check_kept([replace(checked(), bytes_beyond=3)])
    with pytest.raises(CheckFailed, match="50 % of the output bytes of the stream differ from Li"):
        stream_check.check_kept([replace(checked(), is_step_free=False)])  # of --max-byte-error


def test_the_default_limits_follow_from_the_reference(own_copy):
    assert stream_check.default_limit(LITERT, False) == stream_check.LITERT_PERCENT
    assert stream_check.default_limit(MIXED, True) == stream_check.WIDE_PERCENT
    assert stream_check.default_limit(MIXED, False) == stream_check.EXACT_PERCENT
    [wide] = stream_check.check_files([own_copy], 2)
    [asked] = stream_check.check_files([own_copy], 2, limit_percent=10.0)
    assert (wide.is_step_free, asked.is_step_free) == (True, False)


def test_what_is_no_number_of_inferences_is_one_line():
    for wrong in (["--verify", "x.tflite"], ["--verify=0"]):
        result = CliRunner().invoke(main, ["compile", *wrong])
        assert result.exit_code == 2
        assert "expected a number of inferences" in result.output
    result = CliRunner().invoke(main, ["compile", "--max-byte-error", "1"])
    assert "--max-byte-error goes with --verify" in result.output


@pytest.mark.slow
def test_variants_of_a_run_are_checked_on_dev(run_copy):
    with tiny_sizes():
        compile_variants(run_copy, [U55])
        checks = stream_check.check_variants(run_copy, [U55], 20)
    assert [check.source for check in checks] == ["dev"] * len(checks)
    for check in checks:
        assert (check.inferences, check.metric) == (20, "si_sdr_db")
        assert check.percent_off <= stream_check.WIDE_PERCENT
        assert check.value == pytest.approx(check.reference_value, abs=0.05)
    assert collect_report(Workspace(run_copy)).streams == tuple(checks)

    variant = run_copy / "variants" / "baseline" / U55.compiled_place
    (variant / vela.RECORD_NAME).unlink()
    with tiny_sizes():
        compile_variants(run_copy, [U55])
    assert collect_report(Workspace(run_copy)).streams == tuple(checks[1:])  # of other bytes
