"""Numbers are as short as a table needs them."""

from tinyprune.report.model.number_text import shown_factor, shown_milliseconds


def test_factors_and_times():
    assert [shown_factor(value) for value in (None, 1, 9.94, 9.96, 42.3)] == [
        "-",
        "1.0x",
        "9.9x",
        "10x",
        "42x",
    ]
    assert [shown_milliseconds(seconds) for seconds in (0.016, 1e-4, 1.234e-5)] == [
        "16.00",
        "0.10",
        "0.0123",
    ]
