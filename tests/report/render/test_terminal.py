"""Names are broken where a person would break them, and never lose a letter."""

import pytest

from tinyprune.report.render.terminal import wrapped


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("weight-0.80", ["weight-0.80"]),
        ("unit-0.50-weight-0.80", ["unit-0.50-", "weight-0.80"]),
        ("block-16x16-0.80-2-4", ["block-16x16-", "0.80-2-4"]),
        ("a_name_without_a_dash", ["a_name_withou", "t_a_dash"]),
        ("--", ["--"]),
        ("", [""]),
    ],
)
def test_a_name_is_broken_behind_dashes(name, lines):
    assert wrapped(name, 14).split("\n") == lines
    assert "".join(lines) == name
