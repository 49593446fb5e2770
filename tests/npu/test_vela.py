"""Real Vela on tiny networks; for its failures, programs that crash, hang or write nonsense in its place."""

import csv
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.quick import quick
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.npu import targets, vela
from tinyprune.tflite import flatbuffer

U55 = targets.resolve("ethos-u55-128")
U55_256 = targets.resolve("ethos-u55-256")
U65 = targets.resolve("ethos-u65-256")
SRAM_ONLY = targets.resolve("ethos-u55-128", memory_mode="Sram_Only")

# Vela stores bias and scale of an output channel in 10 bytes; dense() has 32 hidden units and 8
# outputs.
BIAS_BYTES = 10 * (32 + 8)


def summary_row(folder: Path) -> dict[str, str]:
    (path,) = folder.glob("*_summary_*.csv")
    with path.open() as file:
        return next(csv.DictReader(file))


def test_what_comes_out_of_a_dense_network(networks, tmp_path) -> None:
    source = networks.dense()
    compiled = vela.compile_tflite(source, U55, tmp_path / "out")
    report, row = compiled.report, summary_row(tmp_path / "out")
    assert compiled.source == source
    assert compiled.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert compiled.path == tmp_path / "out" / "dense_vela.tflite"
    assert [operator.name for operator in flatbuffer.read(compiled.path).operators] == ["ethos-u"]
    assert (report.target, report.vela_version) == (U55, importlib.metadata.version("ethos-u-vela"))
    assert report.macs == 16 * 32 + 32 * 8
    assert report.clock_hz == 500e6
    assert (
        report.cycles
        == float(row["cycles_total"])
        == sum(operator.cycles for operator in report.operators)
    )
    assert report.inference_seconds == pytest.approx(report.cycles / 500e6)
    assert report.cpu_operators == ()
    assert [operator.operator for operator in report.operators if operator.macs] == [
        "FullyConnected"
    ] * 2
    assert [operator.macs for operator in report.operators if operator.macs] == [16 * 32, 32 * 8]


@pytest.mark.slow
def test_a_network_that_is_compiled_for_size_takes_less_sram_and_more_cycles(
    networks, tmp_path
) -> None:
    fast = vela.compile_tflite(networks.image(), U55, tmp_path / "fast").report
    small = vela.compile_tflite(
        networks.image(), replace(U55, optimise="size"), tmp_path / "small"
    ).report
    assert small.sram_bytes < 0.8 * fast.sram_bytes
    assert small.cycles > fast.cycles
    limit = int(small.sram_bytes)
    limited = replace(U55, arena_bytes=limit)
    assert vela.compile_tflite(
        networks.image(), limited, tmp_path / "limited"
    ).report.sram_bytes <= (0.8 * fast.sram_bytes)


ODD_NAMES = {"bytes": os.fsdecode(b"a\xffb"), "long": "n" * 240, "lines": "two\nlines"}


@pytest.mark.parametrize("name", quick(ODD_NAMES, "bytes"))
def test_a_file_whose_name_vela_cannot_take_is_compiled(networks, tmp_path, name) -> None:
    source = tmp_path / f"{name}.tflite"
    source.write_bytes(networks.dense().read_bytes())
    artifact = vela.compile_tflite(source, U55, tmp_path / "out")
    assert artifact.path.name == "network_vela.tflite"
    assert artifact.report.macs == 16 * 32 + 32 * 8
    assert vela.compile_tflite(source, U55, tmp_path / "out").sha256 == artifact.sha256


def test_float_ends_are_left_to_the_cpu_and_are_no_failure_of_the_npu(networks, tmp_path) -> None:
    report = vela.compile_tflite(networks.dense_float_ends(), U55, tmp_path / "out").report
    assert report.end_conversions == ("QUANTIZE", "DEQUANTIZE")
    assert report.cpu_operators == ()
    assert report.macs == 16 * 32 + 32 * 8


def test_activations_of_16_bits_compile(networks, tmp_path) -> None:
    report = vela.compile_tflite(networks.dense_int16(), U55, tmp_path / "out").report
    assert (report.macs, report.cpu_operators) == (16 * 8, ())


def test_shared_sram_streams_weights_from_flash(networks, tmp_path) -> None:
    report, row = vela.compile_tflite(networks.dense(), U55, tmp_path).report, summary_row(tmp_path)
    assert report.encoded_weight_bytes == int(row["total_npu_encoded_weights"])
    assert report.flash_bytes == report.encoded_weight_bytes + BIAS_BYTES
    assert report.flash_bytes == float(row["off_chip_flash_memory_used"]) * 1024
    assert report.sram_bytes == float(row["sram_memory_used"]) * 1024
    # 16 + 32 int8 values are alive while the first layer runs.
    assert report.sram_bytes == 16 + 32
    assert report.bound_by == "off-chip flash"
    assert report.cycles_off_chip_flash > report.cycles_npu > 0


def test_with_weights_in_sram_they_count_as_sram_and_still_have_to_be_stored(
    networks, tmp_path
) -> None:
    report = vela.compile_tflite(networks.dense(), SRAM_ONLY, tmp_path).report
    assert report.flash_bytes == report.encoded_weight_bytes + BIAS_BYTES
    assert report.sram_bytes == 16 + 32 + report.flash_bytes
    assert report.cycles_off_chip_flash == 0
    assert report.cycles_sram > 0


def test_an_arena_in_dram_is_not_flash(networks, tmp_path) -> None:
    report, row = (
        vela.compile_tflite(networks.strided(), U65, tmp_path).report,
        summary_row(tmp_path),
    )
    cpu_weights = 32 * 3 * 3 * 8 + 4 * 32
    npu_constants = report.flash_bytes - cpu_weights
    assert npu_constants == report.encoded_weight_bytes + 10 * 16
    assert float(row["dram_memory_used"]) * 1024 > npu_constants


def test_an_operator_that_stays_on_the_cpu_is_named_and_its_weights_count(
    networks, tmp_path
) -> None:
    report, row = (
        vela.compile_tflite(networks.strided(), U55, tmp_path).report,
        summary_row(tmp_path),
    )
    assert report.cpu_operators == ("CONV_2D",)
    # Kernel 32 x 3 x 3 x 8 in int8 and 32 biases in int32, which Vela's own figure leaves out.
    assert (
        report.flash_bytes
        == float(row["off_chip_flash_memory_used"]) * 1024 + 32 * 3 * 3 * 8 + 4 * 32
    )


def test_a_network_with_nothing_for_the_npu_is_an_error(networks, tmp_path) -> None:
    with pytest.raises(TinypruneError, match="no operator on the NPU; on the CPU stay CONV_2D"):
        vela.compile_tflite(networks.all_cpu(), U55, tmp_path)


def test_a_path_with_blanks_and_letters_beyond_ascii(networks, tmp_path) -> None:
    source = tmp_path / "mein Modell – größer, neu" / "-ä b.c.tflite"
    source.parent.mkdir()
    source.write_bytes(networks.dense().read_bytes())
    compiled = vela.compile_tflite(source, U55, tmp_path / "aus gabe" / "ü")
    assert compiled.path == tmp_path / "aus gabe" / "ü" / "-ä b.c_vela.tflite"
    assert compiled.path.exists()


def test_relative_paths_mean_the_current_folder(networks, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(networks.dense().read_bytes())
    compiled = vela.compile_tflite(Path("m.tflite"), U55, Path("out"))
    assert compiled.path == Path("out/m_vela.tflite")
    assert (tmp_path / "out" / "m_vela.tflite").exists()


def test_compiling_again_replaces_its_own_files_and_keeps_others(networks, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    vela.compile_tflite(networks.dense(), U55, tmp_path)
    first = sorted(path.name for path in tmp_path.iterdir())
    (tmp_path / "dense_vela.tflite").write_bytes(b"old")
    vela.compile_tflite(networks.dense(), U55, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == first
    assert (tmp_path / "dense_vela.tflite").read_bytes()[4:8] == b"TFL3"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "CPU operators = 0" in (tmp_path / "vela.log").read_text()


def test_what_is_compiled_already_is_found_again_even_elsewhere(
    networks, tmp_path, monkeypatch
) -> None:
    first = vela.compile_tflite(networks.dense(), U55, tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "moved")
    left = tmp_path / "moved/.vela-99999999-x"  # of a process that was killed at its very end
    left.mkdir()
    copy = Path(shutil.copy(networks.dense(), tmp_path / "other.tflite"))
    monkeypatch.setattr(vela, "command", lambda: pytest.fail("Vela was started"))
    again = vela.compile_tflite(copy, U55, tmp_path / "moved")
    assert again == replace(first, source=copy, path=tmp_path / "moved" / "dense_vela.tflite")
    assert not left.exists()


DIFFERENT = ("source", "target", "layers", "config", "record", "compiled", "log")


@pytest.mark.parametrize("what", quick(DIFFERENT, "source", "record"))
def test_what_differs_is_compiled_again(what: str, networks, tmp_path) -> None:
    out, source, target, layers = tmp_path / "out", networks.dense(), U55, ()
    if what == "config":
        own = tmp_path / "own.ini"
        own.write_bytes((files("ethosu") / "config_files" / "Arm" / "vela.ini").read_bytes())
        target = replace(U55, vela_config=str(own))
    vela.compile_tflite(source, target, out)
    (out / "dense_vela.tflite").touch()
    if what == "source":
        source = tmp_path / "dense.tflite"
        source.write_bytes(networks.dense().read_bytes() + bytes(16))
    elif what == "target":
        target = U55_256
    elif what == "layers":
        layers = ("hidden", "output")
    elif what == "config":
        own.write_text(own.read_text() + "; a comment\n")
    elif what == "record":
        (out / "report.json").write_text("{}")
    elif what == "compiled":
        (out / "dense_vela.tflite").write_bytes(b"other")
    else:
        (out / "vela.log").unlink()
    (out / "mark").touch()
    vela.compile_tflite(source, target, out, layers)
    assert (out / "report.json").stat().st_mtime_ns > (out / "mark").stat().st_mtime_ns


def test_what_is_no_int8_network_does_not_reach_vela(networks, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vela, "command", lambda: pytest.fail("Vela was started"))
    garbage = tmp_path / "garbage.tflite"
    garbage.write_bytes(b"no network at all")
    for source, words in (
        (networks.dense_float(), "not an int8 network"),
        (garbage, "not a TFLite file"),
        (tmp_path / "none.tflite", "does not exist"),
    ):
        with pytest.raises(UsageError, match=words):
            vela.compile_tflite(source, U55, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_compiled_network_is_not_compiled_again(networks, tmp_path) -> None:
    compiled = vela.compile_tflite(networks.dense(), U55, tmp_path).path
    with pytest.raises(UsageError, match="already compiled by Vela"):
        vela.compile_tflite(compiled, U55, tmp_path / "again")


def test_an_output_folder_that_is_a_file(networks, tmp_path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(TinypruneError, match="cannot compile into .*out: File exists"):
        vela.compile_tflite(networks.dense(), U55, tmp_path / "out")


# --- programs in Vela's place
# -----------------------------------------------------------------------------------------


@pytest.fixture
def fails(networks, tmp_path, monkeypatch):
    """Compile with a Python script instead of Vela; the message, after checking what every failure has in common."""

    # What is set out here must not stand in for what compile_tflite sets.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)

    def compile_with(script: str, **options: float) -> str:
        program = tmp_path / "fake_vela.py"
        program.write_text(script)
        monkeypatch.setattr(vela, "command", lambda: [sys.executable, str(program)])
        with pytest.raises(TinypruneError) as caught:
            vela.compile_tflite(networks.dense(), U55, tmp_path / "out", **options)
        message = str(caught.value)
        assert "\n" not in message
        assert str(tmp_path / "out" / "vela.log") in message
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["vela.log"]
        return message

    return compile_with


# Does what Vela does: the files of a real compilation, with one text replaced, end up in
# --output-dir.
REPLACING = """
import pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--output-dir") + 1])
for file in pathlib.Path({folder!r}).iterdir():
    data = file.read_bytes()
    (out / file.name).write_bytes(data if file.suffix == ".tflite" else data.replace({old!r}, {new!r}, 1))
"""


@pytest.fixture
def replacing(networks, tmp_path):
    vela.compile_tflite(networks.dense(), U55, tmp_path / "real")
    (tmp_path / "real" / "vela.log").unlink()
    return lambda old, new: REPLACING.format(folder=str(tmp_path / "real"), old=old, new=new)


def test_a_crash_names_the_signal_and_the_last_line(fails, tmp_path) -> None:
    script = "import os, signal\nprint('scheduling dense')\nprint('-----')\nos.kill(os.getpid(), signal.SIGSEGV)"
    assert "Vela crashed by SIGSEGV: scheduling dense; see" in fails(script)
    assert "scheduling dense\n-----" in (tmp_path / "out" / "vela.log").read_text()


def test_a_crash_without_a_word(fails) -> None:
    assert "crashed by SIGKILL: it printed nothing" in fails(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    )


def test_a_program_that_hangs_is_stopped(fails, tmp_path) -> None:
    message = fails("import time\nprint('thinking')\ntime.sleep(60)", timeout_seconds=0.5)
    assert "Vela was stopped after 0.5 s" in message
    assert (tmp_path / "out" / "vela.log").read_text() == "thinking\n"


def test_an_exit_code_comes_with_the_end_of_the_traceback(fails) -> None:
    assert "failed with exit code 1: ValueError: odd network" in fails(
        "raise ValueError('odd network')"
    )


def test_vela_refuses_a_memory_mode(networks, tmp_path) -> None:
    target = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "No_Such_Mode")
    with pytest.raises(TinypruneError, match="exit code 1: .*No_Such_Mode"):
        vela.compile_tflite(networks.dense(), target, tmp_path)


def test_a_program_that_writes_nothing(fails) -> None:
    assert "expected one file *_vela.tflite from Vela, found 0" in fails("print('done')")


def test_the_stand_in_works_if_nothing_is_replaced(
    networks, replacing, tmp_path, monkeypatch
) -> None:
    (tmp_path / "fake_vela.py").write_text(replacing(b"no such text", b""))
    monkeypatch.setattr(vela, "command", lambda: [sys.executable, str(tmp_path / "fake_vela.py")])
    report = vela.compile_tflite(networks.dense(), U55, tmp_path / "out").report
    assert report.macs == 16 * 32 + 32 * 8


COLUMNS = ("cycles_total", "sram_memory_used", "core_clock", "Op Cycles", "Name")


@pytest.mark.parametrize(
    "column", quick({name: name.encode() for name in COLUMNS}, "cycles_total", "Op Cycles")
)
def test_a_column_that_is_gone_is_named(column: bytes, fails, replacing) -> None:
    assert f"has no column '{column.decode()}'" in fails(replacing(column, b"renamed"))


def test_a_number_that_is_none(fails, replacing) -> None:
    assert "column core_clock of Vela's dense_summary" in fails(replacing(b"500000000.0", b"fast"))


@pytest.mark.slow
def test_a_name_with_commas_stays_whole(networks, replacing, tmp_path, monkeypatch) -> None:
    name = vela.compile_tflite(networks.dense(), U55, tmp_path / "first").report.operators[0].name
    (tmp_path / "fake_vela.py").write_text(replacing(name.encode(), b"a,b,c"))
    monkeypatch.setattr(vela, "command", lambda: [sys.executable, str(tmp_path / "fake_vela.py")])
    operators = vela.compile_tflite(networks.dense(), U55, tmp_path / "out").report.operators
    assert (operators[0].name, operators[0].macs) == ("a,b,c", 16 * 32)


DEBUG = {
    "end": b"</debug>",
    "key": b'"ext_key"',
    "bytes": b'"weight_total_bytes"',
    "perf": b'name="perf"',
}


@pytest.mark.parametrize("old", quick(DEBUG, "key"))
def test_without_a_debug_database_every_operator_is_a_layer(
    old: bytes, networks, replacing, tmp_path, monkeypatch
):
    (tmp_path / "fake_vela.py").write_text(replacing(old, b"gone"))
    monkeypatch.setattr(vela, "command", lambda: [sys.executable, str(tmp_path / "fake_vela.py")])
    report = vela.compile_tflite(networks.dense(), U55, tmp_path / "out").report
    assert [layer.cycles for layer in report.layers] == [
        operator.cycles for operator in report.operators
    ]
    assert (report.scale_bytes, report.table_bytes) == (0, BIAS_BYTES)
    assert report.encoded_weight_bytes > 0


def test_a_program_that_does_not_start(networks, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vela, "command", lambda: [str(tmp_path / "no-vela")])
    with pytest.raises(TinypruneError, match="Vela does not start .*pip install ethos-u-vela"):
        vela.compile_tflite(networks.dense(), U55, tmp_path)


def test_without_vela_the_message_says_how_to_install_it(networks, tmp_path, monkeypatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(TinypruneError, match="pip install ethos-u-vela"):
        vela.compile_tflite(networks.dense(), U55, tmp_path)


def test_importing_the_rooms_is_cheap() -> None:
    script = (
        "import sys, tinyprune.npu.vela, tinyprune.npu.targets, tinyprune.tflite.flatbuffer\n"
        "heavy = {'ethosu', 'numpy', 'tensorflow', 'keras', 'ai_edge_litert'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
