"""Write the JSON schemas of reports and recipes: ``python docs/generate_schema.py``."""

import json
from pathlib import Path

from tinyprune.config.schema import recipe_schema
from tinyprune.report.model.record import RunReport
from tinyprune.report.model.schema import json_schema

PAGE = Path(__file__).with_name("report.schema.json")
RECIPE = Path(__file__).with_name("recipe.schema.json")


def page() -> str:
    """The text of docs/report.schema.json."""
    return json.dumps(json_schema(RunReport), indent=2) + "\n"


def recipe_page() -> str:
    """The text of docs/recipe.schema.json."""
    return json.dumps(recipe_schema(), indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    RECIPE.write_text(recipe_page(), encoding="utf-8")
