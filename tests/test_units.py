import pytest

from tinyprune.errors import UsageError
from tinyprune.units import (
    format_bytes,
    format_count,
    format_metric,
    format_seconds,
    metric_digits,
    metric_label,
    parse_bytes,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7B", 7),
        ("100KiB", 100 * 1024),
        ("100 kB", 100 * 1000),
        ("1.5MiB", 3 * 1024 * 1024 // 2),
        (" 2MB ", 2 * 1000 * 1000),
    ],
)
def test_a_size_is_read_with_its_unit(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["100", "KiB", "100 kb", "100 KB", "-1 kB", "1e3 B", ""])
def test_a_size_without_a_clear_unit_is_refused(text):
    with pytest.raises(UsageError, match="is not a size: expected a number with one of B, kB, MB, KiB, MiB"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (9_999, "9999 B"), (124_000, "124 kB"), (3_875_840, "3.88 MB")]
)
def test_sizes_are_printed_in_thousands(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(("count", "text"), [(999, "999"), (163_000, "163 k"), (1_327_000, "1.33 M")])
def test_counts_are_printed_in_thousands(count, text):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0003, "0.30 ms"), (12, "12.0 s"), (3 * 60 + 20, "3 min 20 s"), (119.0, "119.0 s")]
)
def test_durations_are_printed_for_a_person(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("name", "label"),
    [("si_sdr_db", "SI-SDR dB"), ("sdr_db", "SDR dB"), ("auc", "AUC"), ("stoi", "STOI"), ("accuracy", "accuracy")],
)
def test_a_metric_has_a_name_for_people(name, label):
    assert metric_label(name) == label


@pytest.mark.parametrize(("name", "digits"), [("si_sdr_db", 2), ("accuracy", 3), ("auc", 3)])
def test_a_metric_has_as_many_digits_as_it_means(name, digits):
    assert metric_digits(name) == digits


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("si_sdr_db", 8.349, "SI-SDR 8.35 dB"),
        ("si_sdr_db", -0.5, "SI-SDR -0.50 dB"),
        ("accuracy", 0.93449, "accuracy 0.934"),
        ("auc", 1.0, "AUC 1.000"),
    ],
)
def test_a_metric_is_printed_for_a_person(name, value, text):
    assert format_metric(name, value) == text
