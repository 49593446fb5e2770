"""Docs that fail the build when they rot: every registered name is mentioned, every relative link leads somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.int8_files import Networks
from tinyprune.cli import main
from tinyprune.npu import targets
from tinyprune.registry import DATASETS, METRICS, MODELS, SCHEDULES, STRUCTURES

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAME_PAGES = ("reference.md", "how-to/data.md", "how-to/prune.md", "how-to/compile.md")
README_LINES = 120
NAMES = [
    (registry.kind, name)
    for registry in (DATASETS, METRICS, MODELS, SCHEDULES, STRUCTURES)
    for name in registry
]


@pytest.fixture(scope="module")
def pages_with_names() -> str:
    """Return the text of the pages that explain names."""
    return "".join((ROOT / "docs" / page).read_text() for page in NAME_PAGES)


@pytest.mark.parametrize(("kind", "name"), [*NAMES, *(("npu", name) for name in targets.names())])
def test_every_name_is_explained(kind: str, name: str, pages_with_names: str) -> None:
    assert f"`{name}`" in pages_with_names, f"{', '.join(NAME_PAGES)} do not mention {kind} {name}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / "README.md").read_text()))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages == linked


def test_every_promise_has_a_test_that_exists() -> None:
    """A test is named as `FILE::NAME`; the next one of the same file as `::NAME`."""
    file = Path()
    for name in re.findall(r"`(tests/[^`]*|::[^`]*)`", (ROOT / "docs/reliability.md").read_text()):
        path, _, function = name.partition("::")
        file = ROOT / path if path else file
        assert file.is_file(), name
        assert f"def {function}" in file.read_text(), name


def test_the_matrices_of_the_concepts_are_those_of_the_example() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "structures.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    concepts = (ROOT / "docs" / "concepts.md").read_text()
    for printed in done.stdout.strip().split("\n\n"):
        name, _, matrix = printed.partition("\n")
        assert f"**`{name}`**" in concepts
        assert f"```\n{matrix}\n```" in concepts


@pytest.mark.slow
def test_the_example_of_the_python_api_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "python_api.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "of the int8 weights are zero" in done.stdout
    assert "on ethos-u55-128" in done.stdout
    share = int(re.search(r"(\d+)% of the int8 weights", done.stdout)[1])
    assert share >= 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_readme_names_the_commands_that_ci_runs() -> None:
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    assert "make test" in readme
    assert "make lint" in ci
    assert "make test" in ci


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name
)
def test_examples_are_valid_recipes(recipe: Path) -> None:
    from tinyprune.config.recipe import load_recipe

    assert load_recipe(recipe).target


@pytest.mark.parametrize("workflow", sorted((ROOT / "examples" / "ci").glob("*.yml")))
def test_the_commands_of_a_workflow_run(
    workflow: Path, networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("network.tflite", "before.tflite"):
        shutil.copy(networks.dense(), name)
    lines = re.findall("tinyprune ((?:compile|compare) [^>\n]*)", workflow.read_text())
    assert [line.split()[0] for line in lines] == ["compile", "compare"]
    for line in lines:
        result = CliRunner().invoke(main, shlex.split(line))
        assert result.exit_code == 0, result.output
