"""What sources take on a Cortex-M55, and their test in QEMU."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.compilers import needs_qemu
from tinyprune.artifacts.firmware import FirmwareSizes
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed, TinypruneError
from tinyprune.firmware import device_build
from tinyprune.stages.firmware import check_limits, measured

PRINTED = """\
   text	   data	    bss	    dec	    hex	filename
   1336	      0	   5664	   7000	   1b58	/tmp/b/arm/denoiser.o
    636	      0	      0	    636	    27c	/tmp/b/arm/denoiser_fft.o
  81052	      0	      0	  81052	  13c9c	/tmp/b/arm/denoiser_model.o
    304	      0	   1440	   1744	    6d0	/tmp/b/arm/denoiser_npu.o
  12752	      0	      0	  12752	   31d0	/tmp/b/arm/denoiser_tables.o
/tmp/b/firmware.elf  :
section             size        addr
.text              98088           0
.data                 16   536870912
.tbss_space            0   536870928
.bss                7136   536870944
.stack              2048   536878080
"""
#: 1336 + 636 + 12752 = 14724; 98104 - 81052 - 14724 - 304 = 2024; 7152 - 1440 - 5664 = 48
SIZES = FirmwareSizes(
    network_flash=81052,
    front_end_flash=14724,
    glue_flash=304,
    library_flash=2024,
    network_ram=1440,
    front_end_ram=5664,
    glue_ram=48,
    stack=223,
)
ALL_RAM = 1440 + 5664 + 48 + 223


def test_sizes_are_read_off_what_is_printed(denoiser_firmware):
    """Of a network with an arena of 1,440 bytes, 4,140 of commands and 76,912 of constants."""
    bytes_of_network = {"arena_bytes": 1440, "command_bytes": 4140, "constant_bytes": 76912}
    record = replace(denoiser_firmware.record, **bytes_of_network)
    sizes = device_build._sizes(PRINTED, record, 223)
    assert sizes == SIZES
    assert (sizes.flash, sizes.ram) == (98104, ALL_RAM)
    in_sram = replace(record, target=replace(record.target, memory_mode="Sram_Only"))
    assert device_build._sizes(PRINTED, in_sram, 223).ram == ALL_RAM + 4140 + 76912


def test_limits_hold_for_the_network_or_for_everything(denoiser_firmware):
    report = denoiser_firmware.report
    made = replace(denoiser_firmware, record=replace(denoiser_firmware.record, sizes=SIZES))
    between = Budget(flash_bytes=90_000)
    assert report.flash_bytes < 90_000 < SIZES.flash
    check_limits(made, between, is_whole=False)
    with pytest.raises(CheckFailed, match="flash of everything 98 kB, over the limit of 90 kB"):
        check_limits(made, between, is_whole=True)
    with pytest.raises(CheckFailed, match="SRAM of everything"):
        check_limits(made, Budget(sram_bytes=ALL_RAM - 1), is_whole=True)
    check_limits(made, Budget(sram_bytes=ALL_RAM), is_whole=True)


def test_missing_tools_are_named(denoiser_firmware, monkeypatch):
    """Nothing but make is there, then not even that."""
    make = shutil.which("make")
    monkeypatch.setattr(device_build.shutil, "which", lambda name: None)
    made = measured(denoiser_firmware)
    assert made.notes == ("make is not installed: apt-get install make",)
    with pytest.raises(TinypruneError, match="--whole: nothing was measured: make is not"):
        check_limits(made, Budget(flash_bytes=1), is_whole=True)
    if make is None:
        pytest.skip("make is not installed")
    said = subprocess.run(
        [make, "-s", "-C", denoiser_firmware.folder, "BUILD=/nowhere", "ARM=none-", "QEMU=none", "CC=none", "-k", "has-gcc", "has-arm", "has-qemu"],
        capture_output=True,
        text=True,
    ).stderr  # fmt: skip
    assert "no none: apt-get install gcc" in said
    assert "no none-gcc with picolibc: apt-get install gcc-arm-none-eabi" in said
    assert "no none: apt-get install qemu-system-arm" in said


@needs_qemu
@pytest.mark.slow
def test_sources_pass_on_a_cortex_m55_in_qemu(denoiser_firmware, tmp_path):
    folder = Path(shutil.copytree(denoiser_firmware.folder, tmp_path / "copy"))
    made = measured(replace(denoiser_firmware, folder=folder))
    assert made.notes == ()
    sizes = made.record.sizes
    assert sizes.network_flash == made.record.command_bytes + made.record.constant_bytes
    assert 100 < sizes.stack < 2000
    assert 90_000 < sizes.flash < 110_000
    assert 6_000 < sizes.ram < 9_000
    assert not (folder / "build").exists()

    text = (folder / "src/denoiser_tables.h").read_text()
    changed = text.replace("OUTPUT_SCALE 0.0039", "OUTPUT_SCALE 0.0036")
    (folder / "src/denoiser_tables.h").write_text(changed)
    with pytest.raises(CheckFailed, match="fail their test on a Cortex-M55 in QEMU"):
        measured(replace(denoiser_firmware, folder=folder))
