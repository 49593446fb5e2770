"""Options in messages, advice and help: whatever the program names is there to be typed."""

import ast
import re
from pathlib import Path

import click
import pytest

import tinyprune
from tinyprune.cli import COMMANDS, main

SOURCES = Path(tinyprune.__file__).parent
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
#: Options of other programs, by the file that calls these.
OF_OTHERS = {
    "npu/vela.py": "Vela's",
    "npu/vela_config.py": "Vela's",
    "npu/lowering.py": "Vela's",
    "data/synthetic/espeak.py": "of pip",
    "firmware/fvp.py": "of Arm's FVP",
    "stages/ray_cluster.py": "of Ray",
}


def options_of(command: click.Command) -> set[str]:
    """Every option of a command and of those below it."""
    names: set[str] = {"--help"}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            names.update([*parameter.opts, *parameter.secondary_opts])
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            names |= options_of(below)
    return names


def texts(path: Path) -> list[str]:
    """Every text of a module that is no docstring; texts in pieces as one, values in them as "?"."""
    tree = ast.parse(path.read_text())
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docstrings.add(id(node.body[0].value))  # type: ignore[attr-defined]
    found = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            pieces = [part.value if isinstance(part, ast.Constant) else "?" for part in node.values]
            found.append("".join(map(str, pieces)))
    return found


@pytest.fixture(scope="module")
def known() -> set[str]:
    return options_of(main)


def test_the_commands_were_all_asked(known):
    assert len(COMMANDS) > 10
    assert {"--epochs", "--no-distill", "--max-flash", "--sweep-inputs", "--verify"} <= known


def test_every_option_that_a_text_names_exists(known):
    unknown = []
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        if name in OF_OTHERS:
            continue
        for text in texts(path):
            for option in _OPTION.findall(text):
                if option not in known:
                    unknown.append(f"{name}: {option} in {text[:70]!r}")
    assert not unknown, "\n".join(unknown)
