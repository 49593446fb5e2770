"""Bars and curves as SVG: where parts and lines lie, and that names cannot break out."""

import re
from xml.etree import ElementTree

import pytest

from tinyprune.report.render import charts, svg
from tinyprune.report.render.charts import Bar, Curve


def drawn(markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup))


def labels(chart: ElementTree.Element, kind: str = "point") -> dict[str, tuple[float, float]]:
    found = chart.iter("text")
    return {
        text.text: (float(text.get("x")), float(text.get("y")))
        for text in found
        if text.get("class") == kind
    }


def test_names_are_text() -> None:
    name = '<script>"&'
    for chart in (
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
