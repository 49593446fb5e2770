"""The targets are what the installed Vela knows: its accelerators, its configuration file; and what a user adds."""

import configparser
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.config import TargetConfig
from tinyprune.errors import UsageError
from tinyprune.npu import targets, vela


@pytest.fixture(scope="module")
def ini() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string((files("ethosu") / "config_files" / "Arm" / "vela.ini").read_text())
    return parser


def test_every_accelerator_of_vela_has_a_target() -> None:
    text = subprocess.run(
        [*vela.command(), "--help"], capture_output=True, text=True, check=True
    ).stdout
    choices = re.search(r"--accelerator-config\s+\{([^}]*)\}", text)
    assert choices
    assert sorted(targets.names()) == sorted(re.sub(r"\s", "", choices[1]).split(","))


def test_names_are_in_order_of_size() -> None:
    assert targets.names()[:4] == ["ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"]
    assert targets.names()[-1] == "ethos-u85-2048"


@pytest.mark.parametrize("npu", targets.names())
def test_system_configs_are_those_of_the_family(npu: str, ini: configparser.ConfigParser) -> None:
    family = npu.split("-")[1].upper()  # "ethos-u55-128" -> "U55"
    expected = {
        name.split(".")[1]
        for name in ini.sections()
        if name.startswith(f"System_Config.Ethos_{family}_")
    }
    assert set(targets.accelerator(npu).memory_modes) == expected


@pytest.mark.parametrize("npu", targets.names())
def test_memory_modes_are_those_whose_arena_can_be_written(
    npu: str, ini: configparser.ConfigParser
) -> None:
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
    command = [
        *vela.command(),
        str(networks.dense()),
        "--accelerator-config",
        npu,
        "--output-dir",
        str(tmp_path),
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = re.findall(r"Using a default of (\w+)\.", text)
    assert targets.resolve(npu) == NpuTarget(npu, used[0], used[1])


def test_resolve_takes_what_is_given() -> None:
    target = targets.resolve("ethos-u55-128", "Ethos_U55_Deep_Embedded", "Sram_Only")
    assert target == NpuTarget(
        "ethos-u55-128", "Ethos_U55_Deep_Embedded", "Sram_Only", is_default_system=False
    )
    assert target.name == "ethos-u55-128-ethos-u55-deep-embedded-sram-only"
    assert (
        targets.resolve("ethos-u55-128", "Ethos_U55_High_End_Embedded").name
        == "ethos-u55-128-shared-sram"
    )


def test_what_the_compiler_is_asked_for_is_in_the_name() -> None:
    target = targets.resolve_config(TargetConfig(optimise="size", arena_limit="64KiB"))
    assert (target.optimise, target.arena_bytes) == ("size", 65_536)
    assert target.name == "ethos-u55-128-shared-sram-size-arena-65536"
    assert target.description.endswith("Shared_Sram, size, arena-65536")
    plain = targets.resolve_config(TargetConfig())
    assert (plain.choices, plain.name) == ([], "ethos-u55-128-shared-sram")


def test_a_limit_of_sram_that_is_no_size_is_refused() -> None:
    for text in ("0kB", "64", "much"):
        with pytest.raises(UsageError):
            targets.resolve_config(TargetConfig(arena_limit=text))


def test_a_system_config_without_the_default_mode_brings_its_own() -> None:
    assert targets.resolve("ethos-u65-256").memory_mode == "Dedicated_Sram_384KB"
    assert targets.resolve("ethos-u65-256", "Ethos_U65_Embedded").memory_mode == "Shared_Sram"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ethos-u55-12",), ["unknown npu 'ethos-u55-12'", "did you mean", "ethos-u85-2048"]),
        (
            ("ethos-u55-128", "Ethos_U65_High_End"),
            ["unknown system config", "Ethos_U55_Deep_Embedded"],
        ),
        (
            ("ethos-u55-128", None, "Shared_SRAM"),
            ["unknown memory mode", "did you mean 'Shared_Sram'", "Sram_Only"],
        ),
        (
            ("ethos-u55-128", None, "Dedicated_Sram"),
            ["unknown memory mode", "Ethos_U55_High_End_Embedded"],
        ),
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


# --- the matrix
# -------------------------------------------------------------------------------------------------------


def test_the_matrix_is_every_accelerator_with_every_memory_mode() -> None:
    matrix = targets.all_targets()
    # U55: Shared_Sram and Sram_Only; U65 and U85: those and four sizes of Dedicated_Sram.
    assert len(matrix) == 4 * 2 + 2 * 6 + 5 * 6
    assert len({target.name for target in matrix}) == len(matrix)
    assert list(dict.fromkeys(target.npu for target in matrix)) == targets.names()
    assert all(target.is_default_system for target in matrix)


def test_the_matrix_of_some_accelerators_is_in_order_of_size() -> None:
    matrix = targets.all_targets(["ethos-u85-128", "ethos-u55-256", "ethos-u55-32", "ethos-u55-32"])
    assert [target.npu for target in matrix] == 2 * ["ethos-u55-32"] + 2 * ["ethos-u55-256"] + 6 * [
        "ethos-u85-128"
    ]


def test_nothing_asked_for_is_the_default_accelerator() -> None:
    assert targets.resolve_each([]) == [targets.resolve("ethos-u55-128")]


def test_accelerators_and_memory_modes_are_crossed_and_each_target_is_there_once() -> None:
    found = targets.resolve_each(
        ["ethos-u55-32", "ethos-u55-64", "ethos-u55-32"], memory_modes=["Sram_Only", "Shared_Sram"]
    )
    assert [target.name for target in found] == [
        "ethos-u55-32-sram-only",
        "ethos-u55-32-shared-sram",
        "ethos-u55-64-sram-only",
        "ethos-u55-64-shared-sram",
    ]


def test_a_mode_that_one_accelerator_does_not_allow_is_left_out_with_a_note(
    log_lines: list[str],
) -> None:
    found = targets.resolve_each(
        ["ethos-u55-64", "ethos-u65-256"], memory_modes=["Dedicated_Sram", "Sram_Only"]
    )
    assert [target.name for target in found] == [
        "ethos-u55-64-sram-only",
        "ethos-u65-256-dedicated-sram",
        "ethos-u65-256-sram-only",
    ]
    line = "ethos-u55-64 is left out with Dedicated_Sram: Ethos_U55_High_End_Embedded does not allow it"
    assert log_lines == [line]


def test_a_mode_that_none_allows_is_an_error() -> None:
    with pytest.raises(
        UsageError, match="unknown memory mode of ethos-u55-64 with .* 'Dedicated_Sram'"
    ):
        targets.resolve_each(
            ["ethos-u55-64", "ethos-u55-32"], memory_modes=["Sram_Only", "Dedicated_Sram"]
        )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("system_config", "Ethos_U55_Deep_Embedded"),
        ("memory_modes", ["Sram_Only"]),
        ("vela_config", Path("my.ini")),
    ],
)
def test_everything_leaves_no_choice(option: str, value: object) -> None:
    assert len(targets.resolve_each(["ethos-u55-32"], everything=True)) == 2
    flag = "--" + option.removesuffix("s").replace("_", "-")
    with pytest.raises(UsageError, match=f"--all-targets takes every .*leave out {flag}"):
        targets.resolve_each([], everything=True, **{option: value})


# --- own targets
# ------------------------------------------------------------------------------------------------------

BOARD = """
[System_Config.Ethos_U55_Board]
inherit=System_Config.Ethos_U55_High_End_Embedded
core_clock=250e6
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an empty ``targets``; the user's configuration is in ``config``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "targets").mkdir()
    (tmp_path / "config" / "tinyprune" / "targets").mkdir(parents=True)
    return tmp_path


def test_an_own_target_is_called_after_its_file(folder: Path) -> None:
    (folder / "targets" / "my-board.toml").write_text(
        'npu = "ethos-u55-64"\nmemory_mode = "Sram_Only"\n'
    )
    target = targets.resolve("my-board")
    assert target == NpuTarget(
        "ethos-u55-64", "Ethos_U55_High_End_Embedded", "Sram_Only", label="my-board"
    )
    assert target.name == "my-board"


def test_what_is_asked_for_wins_over_the_own_target_and_changes_its_name(folder: Path) -> None:
    (folder / "targets" / "b.toml").write_text('npu = "ethos-u55-64"\nmemory_mode = "Sram_Only"\n')
    names = [
        targets.resolve("b", *asked).name
        for asked in [
            (None, "Shared_Sram"),
            (None, "Sram_Only"),
            ("Ethos_U55_Deep_Embedded", None),
            ("Ethos_U55_Deep_Embedded", "Shared_Sram"),
            ("Ethos_U55_High_End_Embedded", None),
        ]
    ]
    deep = "b-ethos-u55-deep-embedded"
    assert names == ["b-shared-sram", "b", f"{deep}-sram-only", f"{deep}-shared-sram", "b"]
    assert targets.resolve("b", "Ethos_U55_Deep_Embedded").memory_mode == "Sram_Only"


def test_a_configuration_file_is_relative_to_the_own_target(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder / "config" / "tinyprune" / "targets"
    (place / "board.ini").write_text(BOARD)
    (place / "mine.toml").write_text('npu = "ethos-u55-128"\nvela_config = "board.ini"\n')
    target = targets.resolve("mine")
    assert (target.vela_config, target.system_config) == (
        str(place / "board.ini"),
        "Ethos_U55_Board",
    )
    assert (target.name, target.memory_mode, target.is_default_system) == (
        "mine",
        "Shared_Sram",
        False,
    )


def test_the_working_directory_comes_before_the_users_configuration(folder: Path) -> None:
    (folder / "config" / "tinyprune" / "targets" / "b.toml").write_text('npu = "ethos-u55-64"\n')
    assert targets.resolve("b").npu == "ethos-u55-64"
    (folder / "targets" / "b.toml").write_text(
        'npu = "ethos-u55-32"\ndescription = "the small one"\n'
    )
    assert targets.resolve("b").npu == "ethos-u55-32"
    assert targets.user_target_descriptions() == [
        ("b", "ethos-u55-32, the small one, targets/b.toml")
    ]


def test_own_targets_are_in_the_matrix_if_they_are_asked_for(folder: Path) -> None:
    (folder / "targets" / "b.toml").write_text('npu = "ethos-u55-64"\nmemory_mode = "Sram_Only"\n')
    names = [target.name for target in targets.all_targets(["b", "ethos-u55-64"])]
    assert names == ["ethos-u55-64-shared-sram", "ethos-u55-64-sram-only", "b-shared-sram", "b"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("b", "npu = ", "targets/b.toml is not TOML"),
        ("b", 'memory_mode = "Sram_Only"', "targets/b.toml: npu: it is needed"),
        ("b", 'npu = "ethos-u55-12"', "targets/b.toml: unknown npu 'ethos-u55-12': did you mean"),
        (
            "b",
            'npu = "ethos-u55-32"\nmemory = "x"',
            "targets/b.toml: unknown key 'memory': did you mean 'memory_",
        ),
        (
            "b",
            'npu = "ethos-u55-32"\nmemory_mode = 3',
            "targets/b.toml: memory_mode: expected a text",
        ),
        (
            "b",
            'npu = "ethos-u55-32"\nmemory_mode = "Shared"',
            "targets/b.toml: unknown memory mode",
        ),
        ("b", 'npu = "ethos-u55-32"\nsystem_config = "X"', "targets/b.toml: unknown system config"),
        (
            "b",
            'npu = "ethos-u55-32"\nvela_config = "no.ini"',
            "targets/b.toml: cannot read Vela's configuration",
        ),
        (
            "my board",
            'npu = "ethos-u55-32"',
            "targets/my board.toml: its name cannot name a target",
        ),
        ("ethos-u55-32", 'npu = "ethos-u55-32"', "its name hides the accelerator ethos-u55-32"),
    ],
)
def test_what_is_wrong_with_an_own_target_is_said_with_its_file(
    folder: Path, name: str, text: str, words: str
) -> None:
    (folder / "targets" / f"{name}.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        targets.resolve(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_own_target_is_in_the_way_of_nothing_else(folder: Path) -> None:
    (folder / "targets" / "b.toml").write_text("npu =")
    assert targets.resolve("ethos-u55-32").name == "ethos-u55-32-shared-sram"
    ((name, text),) = targets.user_target_descriptions()
    assert name == "b"
    assert text.startswith("broken: targets/b.toml is not TOML")
    with pytest.raises(UsageError, match="unknown npu 'c': .*b, ethos"):
        targets.resolve("c")


def test_two_targets_never_share_a_name(folder: Path) -> None:
    (folder / "targets" / "ethos-u55-32-sram-only.toml").write_text('npu = "ethos-u55-64"\n')
    with pytest.raises(UsageError, match="two targets are called ethos-u55-32-sram-only"):
        targets.resolve_each(
            ["ethos-u55-32-sram-only", "ethos-u55-32"], memory_modes=["Shared_Sram", "Sram_Only"]
        )


# --- a configuration file of the user
# ---------------------------------------------------------------------------------


def test_a_configuration_file_names_its_targets_after_its_sections(folder: Path) -> None:
    ini = folder / "board.ini"
    ini.write_text(BOARD)
    target = targets.resolve("ethos-u55-128", vela_config=Path("board.ini"))
    assert target.name == "ethos-u55-128-ethos-u55-board-shared-sram"
    assert (target.vela_config, target.is_default_system) == (str(ini), False)


def test_a_section_called_as_one_of_arms_gives_another_name(folder: Path) -> None:
    ini = folder / "my board.ini"
    ini.write_text(BOARD.replace("Ethos_U55_Board", "Ethos_U55_Deep_Embedded"))
    mine = targets.resolve("ethos-u55-128", vela_config=ini)
    assert mine.name == "ethos-u55-128-my-board-ethos-u55-deep-embedded-shared-sram"
    assert mine.name != targets.resolve("ethos-u55-128", "Ethos_U55_Deep_Embedded").name


def test_a_file_with_a_memory_mode_alone_goes_with_the_default_system(folder: Path) -> None:
    ini = folder / "modes.ini"
    ini.write_text("[Memory_Mode.Small]\ninherit=Memory_Mode.Shared_Sram\narena_cache_size=65536\n")
    target = targets.resolve("ethos-u55-128", vela_config=ini)
    assert (target.system_config, target.memory_mode) == ("Ethos_U55_High_End_Embedded", "Small")
    assert target.name == "ethos-u55-128-modes-ethos-u55-high-end-embedded-small"


def test_several_systems_or_modes_have_to_be_chosen_from(folder: Path) -> None:
    ini = folder / "two.ini"
    ini.write_text(
        BOARD
        + BOARD.replace("Board", "Other")
        + "[Memory_Mode.A]\ninherit=Memory_Mode.Shared_Sram\n[Memory_Mode.B]\ninherit=Memory_Mode.Sram_Only\n"
    )
    with pytest.raises(
        UsageError, match="choose one with --system-config: Ethos_U55_Board, Ethos_U55_Other"
    ):
        targets.resolve("ethos-u55-128", vela_config=ini)
    with pytest.raises(
        UsageError, match="choose one with --memory-mode: A, B, Sram_Only, Shared_Sram"
    ):
        targets.resolve("ethos-u55-128", "Ethos_U55_Board", vela_config=ini)
    found = targets.resolve_each(["ethos-u55-128"], "Ethos_U55_Board", ["A", "B"], ini)
    assert [target.memory_mode for target in found] == ["A", "B"]
    with pytest.raises(
        UsageError,
        match="unknown system config of ethos-u55-128 with .*two.ini 'Ethos_U55_Bord': did",
    ):
        targets.resolve("ethos-u55-128", "Ethos_U55_Bord", vela_config=ini)


def test_a_mode_that_vela_would_refuse_says_why(folder: Path) -> None:
    ini = folder / "board.ini"
    ini.write_text(BOARD)
    # Port 1 of this system is flash, which cannot hold the arena.
    with pytest.raises(
        UsageError,
        match="Dedicated_Sram does not go with Ethos_U55_Board: its arena .* OffChipFlash",
    ):
        targets.resolve("ethos-u55-128", None, "Dedicated_Sram", ini)


@pytest.mark.parametrize(
    ("npu", "section", "words"),
    [
        (
            "ethos-u55-128",
            "Board",
            "16 bytes wide instead of 8, because of the name Board: its memory cycles are half",
        ),
        (
            "ethos-u65-256",
            "Ethos_U55_Board",
            "8 bytes wide instead of 16, because of the name Ethos_U55_Board",
        ),
        ("ethos-u55-128", "Ethos_U55_Board", ""),
        ("ethos-u65-256", "Board", ""),
    ],
)
def test_a_name_that_changes_velas_bus_is_warned_of(
    folder: Path, log_lines: list[str], npu: str, section: str, words: str
) -> None:
    ini = folder / "board.ini"
    ini.write_text(BOARD.replace("Ethos_U55_Board", section))
    targets.resolve(npu, vela_config=ini)
    assert len(log_lines) == bool(words)
    assert words in "".join(log_lines)
