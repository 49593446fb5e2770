"""`make test` of a folder of sources, as they are and after something in them was changed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.compilers import needs_gcc

pytestmark = needs_gcc


def make_test(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["make", "-C", str(folder), "test", *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def changed(source: Path, folder: Path, file: str, old: str, new: str) -> Path:
    copy = Path(shutil.copytree(source, folder / "copy"))
    path = copy / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return copy


@pytest.mark.slow
def test_sources_pass_with_sanitizers(denoiser_firmware, tmp_path):
    code, said = make_test(Path(shutil.copytree(denoiser_firmware.folder, tmp_path / "copy")))
    assert "64 calls: 0 of 8192 integers into the network a step off" in said
    assert "passed" in said
    assert code == 0


MISALIGNED = "const uint8_t shifted[DENOISER_CONSTANTS_BYTES + 1u] = {\n    0,"
SET = '__asm__(".globl denoiser_constants\\n.set denoiser_constants, shifted + 1\\n");'
CHANGES = {
    "a weight": ("src/denoiser_tables.c", "mean[128] = {\n    0.3", "mean[128] = {\n    0.4"),
    "a window": ("src/denoiser_tables.c", "analysis_window[512] = {", "analysis_window[512] = {\n    1.0f, 1.0f,"),
    "an offset of the input": ("src/denoiser_npu.h", "INPUT_OFFSET 1376u", "INPUT_OFFSET 1377u"),
    "an offset of the output": ("src/denoiser_npu.h", "OUTPUT_OFFSET 672u", "OUTPUT_OFFSET 673u"),
    "a state": ("src/denoiser_npu.c", "{ 448u, 128u, 1u, -1 }", "{ 448u, 128u, 1u, 0 }"),
    "a scale": ("src/denoiser_tables.h", "OUTPUT_SCALE 0.00390625f", "OUTPUT_SCALE 0.0039f"),
    "an order of regions": ("src/denoiser_npu.c", "#define CONSTANTS 0\n#define ARENA 1", "#define CONSTANTS 1\n#define ARENA 0"),
    "a constant": ("src/denoiser_model.c", "denoiser_constants[DENOISER_CONSTANTS_BYTES] = {\n    ", "denoiser_constants[DENOISER_CONSTANTS_BYTES] = {\n    1"),
}  # fmt: skip
QUICK = "an offset of the input"


@pytest.mark.parametrize(
    "name",
    [name if name == QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHANGES],
)
def test_a_change_is_found(name, denoiser_firmware, tmp_path):
    copy = changed(denoiser_firmware.folder, tmp_path, *CHANGES[name])
    code, said = make_test(copy, "SANITIZE=", "CFLAGS=-std=c11 -O0 -w")
    assert code != 0
    assert "FAILED" in said


@pytest.mark.slow
def test_a_misaligned_array_is_found(denoiser_firmware, tmp_path):
    place = "const uint8_t denoiser_constants[DENOISER_CONSTANTS_BYTES] = {\n    "
    copy = changed(denoiser_firmware.folder, tmp_path, "src/denoiser_model.c", place, MISALIGNED)
    with (copy / "src/denoiser_model.c").open("a") as file:
        file.write(SET)
    code, said = make_test(copy, "SANITIZE=")
    assert "call 0 returned 1" in said  # DENOISER_MISALIGNED
    assert code != 0


def test_projects_of_zephyr_and_cmsis_name_every_source(denoiser_firmware):
    folder = denoiser_firmware.folder
    sources = {f"src/{path.name}" for path in (folder / "src").glob("*.c")}
    layer = (folder / "denoiser.clayer.yml").read_text()
    assert set(re.findall(r"file: (\S+)", layer)) == sources
    assert "Ethos-U Driver&Generic U55" in layer
    cmake = (folder / "zephyr/CMakeLists.txt").read_text()
    assert set(re.findall(r"\.\./(src/\S+)", cmake)) == sources
    assert "name: denoiser" in (folder / "zephyr/module.yml").read_text()
    assert "config DENOISER" in (folder / "zephyr/Kconfig").read_text()
    for text in (layer, cmake):
        assert "Not built where it was generated" in text
