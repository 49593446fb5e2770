import importlib.util
from pathlib import Path

GENERATOR = Path(__file__).parents[2] / "docs" / "generate_cli.py"


def test_the_command_line_reference_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate_cli", GENERATOR)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.PAGE.read_text() == generator.page(), (
        "run `make docs` and look at the difference"
    )
