"""Charts as SVG: what is on the Pareto front, where points, labels and bars lie, and that names cannot break out."""

import math
import re
from xml.etree import ElementTree

import pytest

from tinyprune.report.render import charts, svg
from tinyprune.report.render.charts import Bar, Curve, Point

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


def scatter(points) -> ElementTree.Element:
    return drawn(
        charts.scatter(
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
    assert charts.pareto(TINYLSTM) == {"weight-0.80", "weight-0.95"}


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
    assert charts.pareto(points) == front


def test_every_variant_is_named_and_front_markers_are_filled() -> None:
    chart = scatter(TINYLSTM)
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


def test_eight_variants_have_eight_shapes() -> None:
    marks = [drawn(svg.marker(shape, 0, 0, "front")) for shape in range(8)]
    assert len({mark.get("points") for mark in marks}) == 8
    assert str(svg.marker(9, 0, 0, "front")) == str(svg.marker(1, 0, 0, "front"))


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    close = [
        Point(f"weight-0.8{index}", 100_000 + 300 * index, 8.0 + 0.01 * index, index)
        for index in range(6)
    ]
    places = list(labels(scatter([*close, Point("baseline", 900_000, 9.0)])).items())
    boxes = [(x, y - 11, x + 6 * len(name), y) for name, (x, y) in places]
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and right <= svg.WIDTH + 1
        for other in boxes[:index]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_costs_that_lie_far_apart_have_a_log_axis() -> None:
    assert "flash, log scale" in labels(scatter(TINYLSTM), "label")
    near = [Point("a", 100_000, 1.0), Point("b", 390_000, 2.0)]  # 390 < 4 * 100
    assert "flash" in labels(scatter(near), "label")
    ticks = labels(scatter(near), "tick")
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
    chart = scatter(points)
    assert "nan" not in ElementTree.tostring(chart, "unicode")
    for x, y in labels(chart).values():
        assert 0 <= x <= svg.WIDTH and 0 <= y <= 300


def test_what_is_no_number_is_left_out() -> None:
    chart = scatter([*TINYLSTM[:2], Point("broken", 100, math.nan)])
    assert set(labels(chart)) == {"baseline", "weight-0.80"}
    assert not charts.scatter("", [Point("broken", math.inf, 1)], "", "", str)


def test_names_are_text() -> None:
    name = '<script>"&'
    for chart in (
        scatter([Point(name, 1, 1)]),
        drawn(charts.stacks(name, [Bar(name, name, ((name, 1, 0),))])),
        drawn(charts.remains(name, [(name, 1, 2)])),
        drawn(charts.curves(name, [Curve(name, ((1, 1), (2, 2)))])),
    ):
        assert name in list(chart.itertext())
        assert not list(chart.iter("script"))


def test_parts_of_a_bar_are_in_proportion() -> None:
    bars = [
        Bar("baseline", "100 B", (("lstm", 60, 0), ("dense", 40, 1))),
        Bar("small", "25 B", (("lstm", 20, 0), ("dense", 5, 1))),
    ]
    parts = [
        box
        for box in drawn(charts.stacks("flash", bars)).iter("rect")
        if box.get("class") == "part"
    ]
    whole = svg.WIDTH - 1
    widths = [float(box.get("width")) for box in parts]
    assert widths == pytest.approx([0.6 * whole, 0.4 * whole, 0.2 * whole, 0.05 * whole], abs=0.1)
    assert [box.get("fill") for box in parts] == ["url(#h0)", "url(#h1)"] * 2
    assert float(parts[1].get("x")) == pytest.approx(0.5 + 0.6 * whole, abs=0.1)


def test_a_part_is_named_where_the_name_fits() -> None:
    chart = drawn(charts.stacks("flash", [Bar("v", "", (("wide", 99, 0), ("narrow", 1, 1)))]))
    assert [text.text for text in chart.iter("text") if text.get("class") == "inside"] == ["wide"]
    assert [title.text for title in chart.iter("title")][1:] == [
        "wide: 99.0% of v",
        "narrow: 1.0% of v",
    ]


def test_bars_of_nothing_are_no_chart() -> None:
    assert not charts.stacks("flash", [])
    assert not charts.stacks("flash", [Bar("v", "", ())])


def test_what_remains_lies_on_what_there_was() -> None:
    chart = drawn(
        charts.remains("units", [("lstm", 96, 256), ("dense", 128, 128), ("x" * 30, 16, 64)])
    )
    boxes = [box for box in chart.iter("rect") if box.get("class") == "part"]
    assert [box.get("fill") for box in boxes] == [f"url(#h{svg.HATCHES - 1})", "url(#h0)"] * 3
    room, *widths = [float(box.get("width")) for box in boxes]
    shares = [96 / 256, 128 / 256, 128 / 256, 64 / 256, 16 / 256]
    assert widths == pytest.approx([share * room for share in shares], abs=0.1)
    [start] = {float(box.get("x")) for box in boxes}
    assert start > 6 * 24 and start + room < svg.WIDTH - 6 * len(
        "128 of 128"
    )  # names and numbers have their place
    assert list(labels(chart, "set")) == ["lstm", "dense", "x" * 23 + "…"]
    assert [note.text for note in chart.iter("text") if note.get("class") == "note"][
        0
    ] == "96 of 256"
    assert f"{'x' * 30}: 16 left" in [title.text for title in chart.iter("title")]
    assert not charts.remains("units", []) and not charts.remains("units", [("lstm", 0, 0)])


def test_every_hatch_is_defined_once_and_differs() -> None:
    patterns = list(drawn(svg.hatches()).iter("pattern"))
    assert [pattern.get("id") for pattern in patterns] == [
        f"h{index}" for index in range(svg.HATCHES)
    ]
    lines = [pattern.find("path").get("d") for pattern in patterns[:-1]]
    assert len(set(lines)) == svg.HATCHES - 1


def test_a_curve_goes_through_its_epochs() -> None:
    chart = drawn(
        charts.curves("training", [Curve("loss", ((1, 4.0), (2, 2.0), (3, 1.0))), Curve("dev", ())])
    )
    [line] = chart.iter("polyline")
    spots = [tuple(map(float, spot.split(","))) for spot in line.get("points").split()]
    assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    assert [y for _, y in spots] == sorted(
        y for _, y in spots
    )  # y points downwards: the loss falls
    assert spots[1][0] - spots[0][0] == pytest.approx(spots[2][0] - spots[1][0], abs=0.2)
    assert "loss" in labels(chart, "label")


def test_a_reference_is_inside_its_panel() -> None:
    chart = drawn(charts.curves("training", [Curve("dev", ((1, 7.0), (2, 7.1)), reference=8.5)]))
    [line] = [line for line in chart.iter("line") if line.get("class") == "reference"]
    assert 24 <= float(line.get("y1")) <= 130


@pytest.mark.parametrize(
    "points", [((1, 0.0),), ((5, -2.0), (6, -2.0)), tuple((x, x % 7) for x in range(200))]
)
def test_short_flat_and_long_curves(points) -> None:
    chart = charts.curves("training", [Curve("loss", points)])
    assert not re.search("nan|inf", str(chart))
    assert drawn(chart).get("viewBox") == f"0 0 {svg.WIDTH} 170"


def test_ticks_are_round_and_told_apart() -> None:
    scale = svg.Scale(8.05, 8.51, 0, 100)
    assert svg.tick_texts(scale.ticks()) == [
        (pytest.approx(tick), f"{tick:.1f}") for tick in (8.1, 8.2, 8.3, 8.4, 8.5)
    ]
    assert svg.Scale(90, 2100, 0, 1, log=True).ticks() == [100, 200, 500, 1000, 2000]
    assert svg.Scale(1, 100, 0, 100, log=True)(10) == pytest.approx(50)
