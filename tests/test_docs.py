"""Docs that fail the build when they rot: every registered name is mentioned, every relative link leads somewhere."""

import re
from pathlib import Path

import pytest

from tinyprune.npu import targets
from tinyprune.registry import DATASETS, METRICS, MODELS, SCHEDULES, STRUCTURES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [
    (registry.kind, name)
    for registry in (DATASETS, METRICS, MODELS, SCHEDULES, STRUCTURES)
    for name in registry
]


@pytest.mark.parametrize(("kind", "name"), [*NAMES, *(("npu", name) for name in targets.names())])
def test_every_name_is_in_the_guide(kind: str, name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "guide.md").read_text(), (
        f"docs/guide.md does not mention {kind} {name}"
    )


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
