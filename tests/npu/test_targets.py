"""The targets are what the installed Vela knows: its accelerators, its configuration file, its defaults."""

import configparser
import re
import subprocess
from importlib.resources import files

import pytest

from tinyprune.artifacts import NpuTarget
from tinyprune.errors import UsageError
from tinyprune.npu import targets, vela


@pytest.fixture(scope="module")
def ini() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string((files("ethosu") / "config_files" / "Arm" / "vela.ini").read_text())
    return parser


def test_every_accelerator_of_vela_has_a_target() -> None:
    text = subprocess.run([*vela.command(), "--help"], capture_output=True, text=True, check=True).stdout
    choices = re.search(r"--accelerator-config\s+\{([^}]*)\}", text)
    assert choices
    assert sorted(targets.names()) == sorted(re.sub(r"\s", "", choices[1]).split(","))


def test_names_are_in_order_of_size() -> None:
    assert targets.names()[:4] == ["ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"]
    assert targets.names()[-1] == "ethos-u85-2048"


@pytest.mark.parametrize("npu", targets.names())
def test_system_configs_are_those_of_the_family(npu: str, ini: configparser.ConfigParser) -> None:
    family = npu.split("-")[1].upper()  # "ethos-u55-128" -> "U55"
    expected = {name.split(".")[1] for name in ini.sections() if name.startswith(f"System_Config.Ethos_{family}_")}
    assert set(targets.accelerator(npu).memory_modes) == expected


@pytest.mark.parametrize("npu", targets.names())
def test_memory_modes_are_those_whose_arena_can_be_written(npu: str, ini: configparser.ConfigParser) -> None:
    for config, modes in targets.accelerator(npu).memory_modes.items():
        ports = ini[f"System_Config.{config}"]
        expected = set()
        for section in (name for name in ini.sections() if name.startswith("Memory_Mode.")):
            mode = ini[ini[section].get("inherit", section)]
            if ports[f"{mode['arena_mem_area'].lower()}_port"] in ("Sram", "Dram"):
                expected.add(section.split(".")[1])
        assert set(modes) == expected


@pytest.mark.parametrize("npu", ["ethos-u55-32", "ethos-u65-512", "ethos-u85-128"])
def test_defaults_are_those_of_vela(npu: str, networks, tmp_path) -> None:
    command = [*vela.command(), str(networks.dense()), "--accelerator-config", npu, "--output-dir", str(tmp_path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = re.findall(r"Using a default of (\w+)\.", text)
    assert targets.resolve(npu) == NpuTarget(npu, used[0], used[1])


def test_resolve_takes_what_is_given() -> None:
    target = targets.resolve("ethos-u55-128", "Ethos_U55_Deep_Embedded", "Sram_Only")
    assert target == NpuTarget("ethos-u55-128", "Ethos_U55_Deep_Embedded", "Sram_Only")


def test_a_system_config_without_the_default_mode_brings_its_own() -> None:
    assert targets.resolve("ethos-u65-256").memory_mode == "Dedicated_Sram_384KB"
    assert targets.resolve("ethos-u65-256", "Ethos_U65_Embedded").memory_mode == "Shared_Sram"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ethos-u55-12",), ["unknown npu 'ethos-u55-12'", "did you mean", "ethos-u85-2048"]),
        (("ethos-u55-128", "Ethos_U65_High_End"), ["unknown system config", "Ethos_U55_Deep_Embedded"]),
        (("ethos-u55-128", None, "Shared_SRAM"), ["unknown memory mode", "did you mean 'Shared_Sram'", "Sram_Only"]),
        (("ethos-u55-128", None, "Dedicated_Sram"), ["unknown memory mode", "Ethos_U55_High_End_Embedded"]),
        (("",), ["unknown npu ''"]),
        (("ethos-u55-128", "", ""), ["unknown system config"]),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        targets.resolve(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []
