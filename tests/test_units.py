import pytest

from tinyprune.errors import UsageError
from tinyprune.units import (
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
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


@pytest.mark.parametrize(
    "text",
    ["KiB", "-1 kB", "92,3 kB", "1_000 kB", "nan", "inf", "1 kB 2", "1h", "9" * 400 + "kB", ""],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(
        UsageError,
        match="is not a size: expected a number with one of B, kB, MB, KiB, MiB, e.g. 100KiB",
    ):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["100 kb", "100K", "100KB", "100k", "100 Kb"])
def test_a_size_that_can_be_misread_is_refused_with_both_ways_to_write_it(text):
    ways = "write 100KiB (1024 bytes each) or 100kB (1000 bytes each)"
    with pytest.raises(UsageError) as caught:
        parse_bytes(text)
    assert str(caught.value) == f"'{text}' can be read in several ways: {ways}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1 Mb",
            "can be read in several ways: write 1MiB (1048576 bytes each) or 1MB (1000000 bytes each)",
        ),
        (
            "64m",
            "can be read in several ways: write 64MiB (1048576 bytes each) or 64MB (1000000 bytes each)",
        ),
        (
            "100",
            "can be read in several ways: write 100KiB (1024 bytes each) or 100kB (1000 bytes each) or 100B (bytes)",
        ),
        ("1.5 kib", "is not clear: write 1.5KiB (1024 bytes each)"),
        ("100Ki", "is not clear: write 100KiB (1024 bytes each)"),
        ("7b", "is not clear: write 7B (bytes)"),
    ],
)
def test_what_an_unclear_size_could_mean(text, message):
    with pytest.raises(UsageError) as caught:
        parse_bytes(text)
    assert str(caught.value) == f"'{text}' {message}"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("200k", 200 * 1000),
        ("200 k", 200 * 1000),
        ("1.5M", 3 * 1000 * 1000 // 2),
        ("2000", 2000),
        ("2e5", 2 * 10**5),
        ("0", 0),
    ],
)
def test_a_count_may_be_in_thousands(text, count):
    assert parse_count(text) == count
    assert type(parse_count(text)) is int


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("200K", "is not clear: write 200k (1000 each)"),
        ("200ki", "is not clear: write 200k (1000 each)"),
        ("1m", "is not clear: write 1M (1000000 each)"),
        ("1.5", "is not a whole number: expected e.g. 200k"),
        ("1.0005k", "is not a whole number: expected e.g. 200k"),
        *(
            (text, "is not a number: expected a number with one of k, M, e.g. 200k")
            for text in ("-3", "nan", "1,000", "k", "")
        ),
    ],
)
def test_a_count_that_is_not_clear_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse_count(text)
    assert str(caught.value) == f"'{text}' {message}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("16ms", 16 / 1000),
        ("500us", 500 / 10**6),
        ("500 \u00b5s", 500 / 10**6),
        ("500\u03bcs", 500 / 10**6),
        ("0.016s", 0.016),
        ("1 s", 1.0),
    ],
)
def test_a_time_is_read_with_its_unit(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "16",
            "can be read in several ways: write 16ms (thousandths of a second) or 16s (seconds)",
        ),
        (
            "16m",
            "can be read in several ways: write 16ms (thousandths of a second) or 16s (seconds)",
        ),
        ("16MS", "is not clear: write 16ms (thousandths of a second)"),
        ("2 seconds", "is not clear: write 2s (seconds)"),
        *(
            (text, "is not a time: expected a number with one of s, ms, us, e.g. 16ms")
            for text in ("-1ms", "inf", "1h", "ms")
        ),
    ],
)
def test_a_time_that_is_not_clear_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse_seconds(text)
    assert str(caught.value) == f"'{text}' {message}"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (9_999, "9999 B"), (124_000, "124 kB"), (3_875_840, "3.88 MB")]
)
def test_sizes_are_printed_in_thousands(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999"), (163_000, "163 k"), (1_327_000, "1.33 M")]
)
def test_counts_are_printed_in_thousands(count, text):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0003, "0.30 ms"),
        (12, "12.0 s"),
        (3 * 60 + 20, "3 min 20 s"),
        (119.0, "119.0 s"),
        (839.8, "14 min 0 s"),
    ],
)
def test_durations_are_printed_for_a_person(seconds, text):
    assert format_seconds(seconds) == text
