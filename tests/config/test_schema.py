"""The JSON Schema of recipes: what ``tinyprune run`` takes is right in it, and slips are not."""

import importlib.util
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tinyprune.config.schema import recipe_schema
from tinyprune.registry import DATASETS, IMPORTANCES

ROOT = Path(__file__).parents[2]
SCHEMA = recipe_schema()


def problems(text: str) -> list[str]:
    checker = jsonschema.Draft7Validator(SCHEMA)
    return [error.message for error in checker.iter_errors(tomllib.loads(text))]


def test_the_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate_schema.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.RECIPE.read_text() == generate.recipe_page()


@pytest.mark.parametrize("recipe", sorted(path.name for path in (ROOT / "examples").glob("*.toml")))
def test_every_example_is_right(recipe):
    assert problems((ROOT / "examples" / recipe).read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        'data = {speech = ["a", "b"], noise = "c", name = "mixture", snr_db = "-6:9"}',
        "[[prune]]\nsparsity = 0.5\n[[prune.layers]]\nmatch = 'a'\nskip = true",
        "[budget]\nmax_cycles = 200000\nmax_flash = '64KiB'",
        "[sweep]\n[[sweep.step]]\nsparsity = [0.5, 0.8]\nmax_flash = ['64kB', 90000]",
    ],
)
def test_forms_of_values_are_those_that_recipes_take(text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nepoch = 3", "'epoch' was unexpected"),
        ("[train]\nepochs = 'many'", "'many' is not of type 'integer'"),
        ("[data]\nname = 'speach'", "'speach' is not one of"),
    ],
)
def test_slips_are_said(text, said):
    [problem] = problems(text)
    assert said in problem


def test_names_and_meanings_are_there_to_be_completed():
    data = SCHEMA["properties"]["data"]["properties"]
    assert set(data["name"]["enum"]) == set(DATASETS)
    prune = SCHEMA["properties"]["prune"]["anyOf"][1]["properties"]
    assert set(prune["importance"]["enum"]) == set(IMPORTANCES)
    assert prune["begin"] == {
        "type": "number",
        "description": "Begin of the schedule: a fraction of the training up to 1, else an "
        "optimizer step.",
        "default": 0.0,
    }
