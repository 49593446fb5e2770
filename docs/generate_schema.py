"""Write docs/report.schema.json from the records themselves: ``python docs/generate_schema.py``."""

import json
from pathlib import Path

from tinyprune.report.model.record import RunReport
from tinyprune.report.model.schema import json_schema

PAGE = Path(__file__).with_name("report.schema.json")


def page() -> str:
    """The text of docs/report.schema.json."""
    return json.dumps(json_schema(RunReport), indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
