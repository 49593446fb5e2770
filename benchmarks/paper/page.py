"""docs/results.md, written from the records of the rows and nothing else."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.paper import goals, lessons, pictures, tables
from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH, Row
from benchmarks.paper.view import View, view_of
from tinyprune.metrics.metric import metric_of
from tinyprune.report.render.markdown import escape
from tinyprune.storage.records import write_text

WIDTH = 120
NETWORKS = {KEYWORDS: "`ds_cnn` on keywords", IMAGES: "`resnet8` on a subset of CIFAR-10"}
TITLE = "# Results: weight, block or unit?"
ABOUT = (
    "Stamenovic et al. 2021, [Weight, Block or Unit?](https://arxiv.org/abs/2111.02351), on open data. In the paper "
    "weight pruning brings the network from 3.7 MB to 87 kB (42x) for 0.1 dB SDR, and block pruning makes it 6.7x "
    "faster for 0.59 dB. The network is that of Fedorov et al. 2020, [TinyLSTMs](https://arxiv.org/abs/2005.11138), "
    "where it becomes 11.9x smaller with 2.9x fewer operations for 0.55 dB. `make paper` writes this page from one "
    "small JSON file per row ([benchmarks/paper](../benchmarks/paper)); apart from the papers', no number in it was "
    "typed."
)
READING = (
    "Quality is of the int8 graph that the device runs, one frame at a time; behind it the mean of the paired "
    "differences to the float32 baseline, and ± half of its 95 % interval (bootstrap over utterances). Sizes and "
    "cycles are Vela's estimates for one frame of 16 ms. Encoded weights and flash in all (weights, biases, scales, "
    "tables) are of ethos-u55-128 under Shared_Sram; ethos-u85-256 has its default memory mode. x is against the "
    "float32 parameters for flash, against dense int8 for cycles. Rows are levels of ladders, each trained on from "
    "the one before; epochs are all that a row has had, the baseline's included."
)


def write(
    results: Path, page: Path, rows: Sequence[Row], keys: Mapping[str, str] | None = None
) -> None:
    """Write the page and its pictures.

    Args:
        results: folder of the records. page: where the page goes; its pictures into a folder of its
            name beside it.
        rows: all there are.
        keys: task -> the experiment that is shown; default: the one with the newest row.
    """
    views = [
        view_of(results, task, rows, (keys or {}).get(task))
        for task in dict.fromkeys(row.task for row in rows)
    ]
    lines = [line for view in views for line in _task(view, page)]
    write_text(page, "\n".join([TITLE, "", *_prose(ABOUT), *lines, *_again()]) + "\n")


def _task(view: View, page: Path) -> Iterator[str]:
    yield from _speech(view, page) if view.task == SPEECH else _classes(view)


def _speech(view: View, page: Path) -> Iterator[str]:
    yield from ("", *_prose(_made(view)))
    yield from ("", "## Goals", "")
    for goal in goals.goals(view):
        yield from _item(f"**{goal.verdict}**: {goal.asked}. {goal.found}".strip())
    yield from ("", "## Which structure for which bottleneck", "")
    for title, text in lessons.lessons(view):
        yield from _item(f"**{title}.** {text}")
    if view.finished:
        yield from (
            "",
            *_prose("The largest factor within a loss of SDR; rows are chosen on dev:"),
            "",
        )
        yield from tables.by_bottleneck(view)
    drawn = pictures.draw(view, page.with_suffix(""))
    if drawn:
        yield from (
            "",
            *_prose(f"Rows that lose more than {-pictures.LOWEST:g} dB are outside the pictures."),
        )
    for name, title in drawn.items():
        yield from ("", f"![{title}]({page.stem}/{name})")
    yield from ("", "## Every row", "", *_prose(READING))
    if view.finished:
        yield from ("", *_prose(f"The noisy input has {_noisy(view)}."))
        for made in (tables.quality, tables.sizes, tables.cycles):
            yield from ("", *made(view))
    yield from _rest(view)


def _noisy(view: View) -> str:
    split = next(filter(None, map(view.scored, view.finished)))
    return ", ".join(metric_of(name).in_words(value) for name, value in split.noisy.items())


def _classes(view: View) -> Iterator[str]:
    yield from ("", f"## {NETWORKS[view.task]}", "", *_prose(_made(view)))
    if view.ran:
        yield from ("", *tables.classes(view))
    yield from _rest(view)


def _made(view: View) -> str:
    """What was run, when, on which data."""
    if not view.ran:
        return "No row has run yet."
    first, measured = (
        view.ran[0],
        max((found.measured_on for found in view.ran), key=lambda made: str(made["date"])),
    )
    versions = ", ".join(
        f"{name} {number}" for name, number in measured["versions"].items() if number
    )
    hours = sum(found.training_seconds for found in view.ran if found.way != "int8") / 3600
    split = next((view.scored(found) for found in view.finished), None)
    counted = f"{split.items} items of the {view.split} split" if split else "nothing yet"
    chosen = "; every choice was made on dev, test was scored once"
    once = chosen if view.split == "test" else "; test is not scored yet"
    baseline = ", ".join(
        f"{part}.{k}={v}" for part, table in first.baseline.items() for k, v in table.items()
    )
    others = (
        f" Other experiments on this task that are not shown: {', '.join(view.others)}."
        if view.others
        else ""
    )
    cores = f"{measured['cores']} core{'s' if measured['cores'] > 1 else ''}"
    done = f"{sum(found.is_finished for found in view.ran)} of {len(view.rows)} rows are finished"
    return (
        f"Experiment {view.key}, data {first.data_sha256[:12] or 'unknown'}, seed {first.seed}; {done}. "
        f"Figures are of {counted}{once}. Baseline: {baseline}. {hours:.1f} hours of training on {cores}, "
        f"until {measured['date'][:10]}, with {versions}.{others}"
    )


def _rest(view: View) -> Iterator[str]:
    """Notes of rows, rows that failed, rows that wait."""
    for found in view.ran:
        for note in found.notes:
            yield from ("", *_item(f"`{found.row}`: {escape(note)}"))
    failed = [found for found in view.ran if not found.is_finished]
    if failed:
        yield from ("", "**Failed:**", "")
        for found in failed:
            yield from _item(f"`{found.row}`: {escape(found.error)}")
    unscored = [found for found in view.ran if found.is_finished and not view.scored(found)]
    if unscored:
        yield from (
            "",
            *_prose(f"Not scored on {view.split}: {_names(found.row for found in unscored)}."),
        )
    if view.waiting:
        yield from ("", *_prose(f"Not run yet: {_names(row.name for row in view.waiting)}."))


def _again() -> Iterator[str]:
    yield from ("", "## Make it again", "", "```")
    yield "make paper                                     # everything; stop it whenever you like, it goes on"
    yield "python -m benchmarks.paper --list              # the rows and how far they are"
    yield "python -m benchmarks.paper --only 'speech/unit-*' --speech DIR --noise DIR"
    yield "python -m benchmarks.paper --test              # once, at the end"
    yield "```"


def _names(names: Iterator[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _prose(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> list[str]:
    return textwrap.wrap(
        f"- {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
