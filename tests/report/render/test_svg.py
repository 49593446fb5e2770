"""Elements of charts: markers and hatches that differ, ticks that are round."""

from xml.etree import ElementTree

import pytest

from tinyprune.report.render import svg


def drawn(markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(markup))


def test_eight_variants_have_eight_shapes() -> None:
    marks = [drawn(svg.marker(shape, 0, 0, True)) for shape in range(8)]
    assert len({mark.get("points") for mark in marks}) == 8
    assert str(svg.marker(9, 0, 0, True)) == str(svg.marker(1, 0, 0, True))


def test_every_hatch_is_defined_once_and_differs() -> None:
    patterns = list(drawn(svg.hatches()).iter("pattern"))
    assert [pattern.get("id") for pattern in patterns] == [
        f"h{index}" for index in range(svg.HATCHES)
    ]
    lines = [pattern.find("path").get("d") for pattern in patterns[:-1]]
    assert len(set(lines)) == svg.HATCHES - 1


def test_ticks_are_round_and_told_apart() -> None:
    scale = svg.Scale(8.05, 8.51, 0, 100)
    assert svg.tick_texts(scale.ticks()) == [
        (pytest.approx(tick), f"{tick:.1f}") for tick in (8.1, 8.2, 8.3, 8.4, 8.5)
    ]
    assert svg.Scale(90, 2100, 0, 1, log=True).ticks() == [100, 200, 500, 1000, 2000]
    assert svg.Scale(1, 100, 0, 100, log=True)(10) == pytest.approx(50)
