"""The way to Arm's FVP, with stand-ins: QEMU for the model, recorded answers for its NPU."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.compilers import needs_qemu
from tests.support.ethosu_stand_in import write_driver, write_program
from tinyprune.artifacts.firmware import FvpCounts
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.firmware import fvp
from tinyprune.npu import targets
from tinyprune.stages.firmware import check_fvp_right, on_fvp

U55 = targets.resolve("ethos-u55-128")
COUNTS = "tinyprune fvp: network={} calls=64 cycles=61234 most=61300 numbers=16384 off={} right={}"
QEMU = """
printf '%s\\n' "$*" > ARGUMENTS
exec qemu-system-arm -M mps3-an547 -display none -monitor none -serial none \\
    -semihosting-config enable=on,target=native -kernel "$2"
"""


def test_the_command_line_is_that_of_arm(tmp_path):
    command = fvp.command_line(tmp_path / "FVP_X", Path("a.elf"), U55)
    assert command[1:3] == ["-a", "a.elf"]
    settings = {command[at + 1] for at, word in enumerate(command) if word == "-C"}
    assert "ethosu.num_macs=128" in settings
    assert "mps3_board.visualisation.disable-visualisation=1" in settings
    assert "mps3_board.telnetterminal0.start_telnet=0" in settings
    assert "mps3_board.uart0.out_file=-" in settings
    assert command[-3:] == ["--stat", "--simlimit", "60"]
    u65 = targets.resolve("ethos-u65-512")
    assert "ethosu.num_macs=512" in fvp.command_line(tmp_path, tmp_path, u65)


def test_what_cannot_be_run_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="there is no file .*missing: expected the program"):
        fvp.check_fvp(tmp_path / "missing", U55)
    (tmp_path / "text").write_text("text")
    with pytest.raises(UsageError, match="text is not executable"):
        fvp.check_fvp(tmp_path / "text", U55)
    program = write_program(tmp_path / "fvp", "exit 0")
    fvp.check_fvp(program, U55)
    monkeypatch.chdir(tmp_path)
    fvp.check_fvp(Path("fvp"), U55)
    assert fvp.command_line(Path("fvp"), Path("a.elf"), U55)[0] == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir("/")
    assert fvp.command_line(Path("fvp"), Path("a.elf"), U55)[0] == str(program)
    with pytest.raises(UsageError, match="have Ethos-U55 and U65, not ethos-u85-256"):
        fvp.check_fvp(program, targets.resolve("ethos-u85-256"))


def test_no_image_no_counters_and_no_end_are_one_line(denoiser_firmware, tmp_path):
    record = denoiser_firmware.record
    image = tmp_path / "fvp.elf"
    with pytest.raises(TinypruneError, match="there is no image .*fvp.elf: `make fvp"):
        fvp.run_fvp(write_program(tmp_path / "quiet", "exit 0"), image, record)
    image.write_bytes(b"")
    said = {
        "exit 0": "printed no counters: it says nothing",
        "echo licence; echo no image >&2; exit 1": "its last line is 'no image'",
        "echo call 3 returned -1; echo stat": "printed no counters: call 3 returned -1",
        "echo 'tinyprune fvp: ethosu_init failed'": "printed no counters: ethosu_init failed",
        f"echo '{COUNTS.format('0123456789ab', 0, 1)}'": "holds another network",
    }
    for body, problem in said.items():
        program = write_program(tmp_path / "fvp", body)
        with pytest.raises(TinypruneError, match=problem):
            fvp.run_fvp(program, image, record)
    slow = write_program(tmp_path / "slow", "exec sleep 60")
    with pytest.raises(TinypruneError, match=r"slow was not done after 0\.2 s and was ended"):
        fvp.run_fvp(slow, image, record, timeout_seconds=0.2)


def test_another_result_than_that_of_the_simulator_fails(denoiser_firmware, tmp_path):
    made = replace(
        denoiser_firmware, folder=Path(shutil.copytree(denoiser_firmware.folder, tmp_path / "copy"))
    )
    (tmp_path / "fvp.elf").write_bytes(b"")
    network = made.record.compiled_sha256[:12]
    for off, is_right in ((0, 1), (900, 0)):
        said = COUNTS.format(network, off, is_right)
        program = write_program(tmp_path / "fvp", f"echo '{said}'")
        ran = on_fvp(made, program, tmp_path / "fvp.elf")
        assert ran.record.fvp == FvpCounts(64, 61234, 61300, 16384, off, bool(is_right))
        assert ran.notes == (fvp.UNTRIED,)
    check_fvp_right(made)
    with pytest.raises(CheckFailed, match="900 of 16,384 numbers are not those of the simulated"):
        check_fvp_right(ran)


@needs_qemu
@pytest.mark.slow
def test_the_image_runs_up_to_the_driver(denoiser_firmware, tmp_path):
    """Start-up, placement, interrupt and counters, on QEMU's board of the same subsystem."""
    folder = Path(shutil.copytree(denoiser_firmware.folder, tmp_path / "copy"))
    make = ["make", "-s", "-C", str(folder), "fvp"]
    done = subprocess.run(make, capture_output=True, text=True)
    assert "no Arm driver at ETHOSU_DRIVER=: expected the folder of" in done.stderr
    subprocess.run([*make, *write_driver(folder, tmp_path)], check=True)

    seen = tmp_path / "arguments"
    program = write_program(tmp_path / "FVP", QEMU.replace("ARGUMENTS", str(seen)))
    ran = on_fvp(replace(denoiser_firmware, folder=folder), program)
    counts = ran.record.fvp
    assert (counts.calls, counts.numbers, counts.is_right) == (64, 64 * 256, True)
    assert (counts.cycles, counts.most_cycles) == (1032, 1064)  # 1001 to 1064; 1032.5 cut off
    assert f"-a {folder}/build/fvp.elf -C ethosu.num_macs=128" in seen.read_text()
