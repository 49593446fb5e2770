"""The chart of quality against cost: what is on the Pareto front, where points and labels lie."""

import math
from xml.etree import ElementTree

import pytest

from tinyprune.report.render import scatter, svg
from tinyprune.report.render.scatter import Point

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


def chart_of(points) -> ElementTree.Element:
    return drawn(
        scatter.scatter(
            "quality against flash", points, "flash", "SI-SDR dB (up is better)", kilobytes
        )
    )


def labels(chart: ElementTree.Element, kind: str = "point") -> dict[str, tuple[float, float]]:
    found = chart.iter("text")
    return {
        text.text: (float(text.get("x")), float(text.get("y")))
        for text in found
        if text.get("class") == kind
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
    places = list(labels(chart_of([*close, Point("baseline", 900_000, 9.0)])).items())
    boxes = [(x, y - 11, x + 6 * len(name), y) for name, (x, y) in places]
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
    assert not scatter.scatter("", [Point("broken", math.inf, 1)], "", "", str)


def test_names_are_text() -> None:
    name = '<script>"&'
    chart = chart_of([Point(name, 1, 1)])
    assert name in list(chart.itertext())
    assert not list(chart.iter("script"))
