"""The chart of quality against cost: what is on the Pareto front, where points and labels lie."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tinyprune.report.render import scatter, svg
from tinyprune.report.render.scatter import Axes, Point
from tinyprune.report.render.svg import WIDTH

TINYLSTM = [
    Point("baseline", 943_000, 8.47, 0),
    Point("weight-0.80", 303_000, 8.51, 1),
    Point("weight-0.95", 124_000, 8.35, 2),
    Point("block-0.80", 310_000, 8.05, 3),
]


def drawn(markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup))


def kilobytes(count: float) -> str:
    return f"{count / 1000:.0f} kB"


AXES = Axes("flash", kilobytes, "SI-SDR dB (up is better)", "{:.2f}".format)


def chart_of(points, **changes) -> ElementTree.Element:
    axes = replace(AXES, **changes)
    return drawn(scatter.scatter("quality against flash", points, axes))


def of_kind(chart: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """The elements with a CSS class."""
    return [each for each in chart.iter() if kind in each.get("class", "").split()]


def labels(chart: ElementTree.Element, kind: str = "point") -> dict[str, tuple[float, float]]:
    found = chart.iter("text")
    return {
        text.text: (float(text.get("x")), float(text.get("y")))
        for text in found
        if text.get("class").split()[0] == kind
    }


def test_the_front_is_what_nothing_beats() -> None:
    # The baseline loses to weight-0.80 in both, block-0.80 too; weight-0.95 is the smallest.
    assert scatter.pareto(TINYLSTM) == {"weight-0.80", "weight-0.95"}


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], set()),
        ([Point("a", 1, 1)], {"a"}),
        ([Point("a", 1, 1), Point("b", 1, 1)], {"a", "b"}),  # neither is better
        ([Point("a", 1, 1), Point("b", 1, 2)], {"b"}),
        ([Point("a", 1, 1), Point("b", 2, 1)], {"a"}),
        ([Point("a", 1, 1), Point("b", 2, 2), Point("c", 3, 3)], {"a", "b", "c"}),
    ],
)
def test_ties_stay_on_the_front(points, front) -> None:
    assert scatter.pareto(points) == front


def test_every_variant_is_named_and_front_markers_are_filled() -> None:
    chart = chart_of(TINYLSTM)
    assert set(labels(chart)) == {point.name for point in TINYLSTM}
    marks = {group.find("title").text.partition(":")[0]: group[1] for group in chart.iter("g")}
    assert {name for name, mark in marks.items() if mark.get("class") == "front"} == {
        "weight-0.80",
        "weight-0.95",
    }
    assert {name for name, mark in marks.items() if mark.get("class") == "behind"} == {
        "baseline",
        "block-0.80",
    }
    shapes = [mark.get("points", "circle") for mark in marks.values()]
    assert len(set(shapes)) == len(TINYLSTM)
    assert len([path for path in chart.iter("path") if path.get("class") == "frontline"]) == 1


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    close = [
        Point(f"weight-0.8{index}", 100_000 + 300 * index, 8.0 + 0.01 * index, index)
        for index in range(6)
    ]
    chart = chart_of([*close, Point("baseline", 900_000, 9.0)])
    places = list(labels(chart).items())
    anchors = {each.text: each.get("text-anchor") for each in chart.iter("text")}
    boxes = []
    for name, (x, y) in places:
        left = x - 6 * len(name) if anchors[name] == "end" else x
        boxes.append((left, y - 11, left + 6 * len(name), y))
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and right <= svg.WIDTH + 1
        for other in boxes[:index]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_costs_that_lie_far_apart_have_a_log_axis() -> None:
    assert "flash, log scale" in labels(chart_of(TINYLSTM), "label")
    near = [Point("a", 100_000, 1.0), Point("b", 390_000, 2.0)]  # 390 < 4 * 100
    assert "flash" in labels(chart_of(near), "label")
    ticks = labels(chart_of(near), "tick")
    assert {"0 kB", "100 kB", "200 kB", "300 kB", "400 kB"} <= set(ticks)


@pytest.mark.parametrize(
    "points",
    [
        [Point("one", 5, 1.0)],
        [Point("free", 0, 0.5)],
        [Point("a", 0, 0.0), Point("b", 0, 0.0)],
        [Point("a", 10, -3.0), Point("b", 1_000_000, -3.0)],
        [Point("a", 1e-6, 1e-9), Point("b", 1e9, 1e9)],
    ],
)
def test_odd_points_lie_inside(points) -> None:
    chart = chart_of(points)
    assert "nan" not in ElementTree.tostring(chart, "unicode")
    for x, y in labels(chart).values():
        assert 0 <= x <= svg.WIDTH and 0 <= y <= 300


def test_what_is_no_number_is_left_out() -> None:
    chart = chart_of([*TINYLSTM[:2], Point("broken", 100, math.nan)])
    assert set(labels(chart)) == {"baseline", "weight-0.80"}
    assert not scatter.scatter("", [Point("broken", math.inf, 1)], AXES)


def test_names_are_text() -> None:
    name = '<script>"&'
    chart = chart_of([Point(name, 1, 1)])
    assert name in list(chart.itertext())
    assert not list(chart.iter("script"))


def test_where_less_is_better_the_front_is_below() -> None:
    points = [Point("small", 10, 0.5, sign=-1), Point("good", 20, 0.1, sign=-1)]
    assert scatter.pareto([*points, Point("bad", 20, 0.9, sign=-1)]) == {"small", "good"}


def test_an_interval_is_a_bar_with_its_ends_on_the_axis() -> None:
    chart = chart_of([Point("a", 10, 8.0, half_width=0.5), Point("b", 20, 9.0)])
    [bar] = of_kind(chart, "interval")
    top, bottom = (
        float(end) for end in re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)", bar.get("d")).groups()
    )
    # The values reach from 7.5 to 9.0, and 12 % of that lie beyond: 7.32 to 9.18, on 254 to 28.
    per_db = (254 - 28) / (9.18 - 7.32)
    assert top == pytest.approx(254 - (8.5 - 7.32) * per_db, abs=0.1)
    assert bottom == pytest.approx(254 - (7.5 - 7.32) * per_db, abs=0.1)
    [tip] = [
        group.find("title").text for group in chart.iter("g") if "a:" in group.find("title").text
    ]
    assert tip == "a: 0 kB, SI-SDR dB 8.00 ± 0.50"


def test_a_small_difference_does_not_fill_the_chart() -> None:
    points = [Point("a", 10, 8.40), Point("b", 20, 8.48)]
    heights = []
    for least in (0.0, 0.5):
        places = [
            float(mark.get("cy")) for mark in chart_of(points, least_range=least).iter("circle")
        ]
        heights.append(max(places) - min(places))
    full = 254 - 28
    assert heights[0] == pytest.approx(full / 1.24, abs=0.2)  # 12 % above and below
    assert heights[1] == pytest.approx(full * 0.08 / 0.5, abs=0.2)


def test_limits_are_lines_and_far_ones_are_words() -> None:
    points = [Point("a", 10_000, 8.0), Point("b", 20_000, 9.0)]
    chart = chart_of(points, limits=(15_000.0, 900_000.0))
    [line] = of_kind(chart, "limit")
    scale = (WIDTH - 10 - 58) / (1.08 * 20_000)  # even, from 0
    assert float(line.get("x1")) == pytest.approx(58 + 15_000 * scale, abs=0.1)
    assert [each.text for each in of_kind(chart, "limit-name")] == ["limit 15 kB", "limit 900 kB →"]
    far_apart = [Point("a", 10_000, 8.0), Point("b", 90_000, 9.0)]
    below = chart_of(far_apart, limits=(1000.0,))
    assert [each.text for each in of_kind(below, "limit-name")] == ["← limit 1 kB"]


def test_the_variant_to_ship_has_a_ring_and_a_word() -> None:
    points = [replace(point, is_shipped=point.name == "block-0.80") for point in TINYLSTM]
    chart = chart_of(points)
    [ring] = of_kind(chart, "ring")
    assert "ship: block-0.80" in labels(chart)
    # On no front, but not grey.
    assert {each.text for each in of_kind(chart, "behind-name")} == {"baseline"}


def test_of_many_points_those_that_matter_are_named() -> None:
    behind = [Point(f"x{number}", 500_000 + 1000 * number, 7.0) for number in range(20)]
    chart = chart_of([*TINYLSTM, *behind])
    assert set(labels(chart)) == {"baseline", "weight-0.80", "weight-0.95"}
    assert len(list(chart.iter("g"))) == 24  # each has its tip
