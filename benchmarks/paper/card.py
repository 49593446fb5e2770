"""The model card of the network that comes with tinyprune, written from the records of its row and nothing else."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks.paper import by_snr
from benchmarks.paper.by_snr import BySnr
from benchmarks.paper.record import RowRecord, Score, Split
from benchmarks.paper.sources import Source
from benchmarks.paper.tables import NONE, factor, kilobytes, table
from benchmarks.paper.view import SHARED, TITLES, View
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.sweep import SweepReport
from tinyprune.report.render.markdown import escape
from tinyprune.report.render.sweeps import sweep_markdown
from tinyprune.units import format_bytes, format_count

WIDTH = 120
USE = """\
tinyprune enhance noisy.wav clean.wav                            # where there is no run; --model pretrained anywhere
tinyprune compile --npu ethos-u55-128                            # likewise; tinyprune compile pretrained anywhere
tinyprune evaluate pretrained --noisy DIR --clean DIR            # on recordings of your own"""


@dataclass(frozen=True)
class Shipped:
    """A network and all that is known of it.

    Attributes:
        view: the experiment. row: what was measured. claim: what its baseline was trained as.
        artifact, front_end: of the graph. by_snr: its quality on mixtures of dev. robustness: the same, changed. reports: by
            target.
        sources: of the training data.
    """

    view: View
    row: RowRecord
    claim: Mapping[str, Any]
    artifact: TFLiteArtifact
    front_end: DeviceFrontEnd
    by_snr: BySnr
    robustness: SweepReport
    reports: Mapping[str, ResourceReport]
    sources: Sequence[Source]

    @property
    def kinds(self) -> dict[str, list[Source]]:
        """The sources, by kind."""
        return {kind: [*found] for kind, found in groupby(self.sources, lambda source: source.kind)}

    @property
    def split(self) -> tuple[str, Split]:
        """The split that the card shows: test if the row was scored on it."""
        scored = self.row.test or self.row.dev
        assert scored is not None
        return ("test" if self.row.test else "dev"), scored


def text(shipped: Shipped) -> str:
    """The page."""
    parts = (_what, _quality, _robustness, _costs, _data, _limits, _again)
    return (
        "\n".join(
            ["# The pretrained denoiser", *(line for part in parts for line in part(shipped))]
        )
        + "\n"
    )


def _what(shipped: Shipped) -> Iterator[str]:
    row, front_end = shipped.row, shipped.front_end
    yield from prose(
        "A speech denoiser that comes with tinyprune and works right after installation: "
        f"`{shipped.claim['model']['name']}`, row `{row.row}` of [results.md](results.md), int8, {row.parameters:,} "
        f"parameters, {row.sparsity:.1%} of its weights are zero. Every "
        f"{ms(front_end.hop / front_end.sample_rate)} it takes {front_end.bands} mel features of a frame of "
        f"{ms(front_end.frame / front_end.sample_rate)} and gives a mask for them; what goes in comes out "
        f"{ms(front_end.latency_seconds)} later. `python -m benchmarks.paper --pretrained {row.row}` wrote this page "
        "from the records of that row; no number in it was typed."
    )
    yield from ("", "```", *USE.splitlines(), "```")
    yield from prose(
        f"`denoiser.tflite`, {format_bytes(row.file_bytes)}, SHA-256 `{shipped.artifact.sha256}`, and beside it "
        "`denoiser.frontend.json`, with all numbers that firmware needs around it "
        "([deploy](how-to/deploy.md)). It is under the licence of tinyprune; none of the recordings that it "
        "learned from is in it."
    )


def _quality(shipped: Shipped) -> Iterator[str]:
    name, split = shipped.split
    chosen = (
        "scored once, after all choices were made"
        if name == "test"
        else "on which choices were made: test is not scored yet"
    )
    yield from ("", "## What it can do")
    yield from prose(
        f"Mean of {split.items} mixtures of the {name} split ({chosen}), of the int8 graph, frame by frame. Behind it "
        "the mean of the paired differences to the float32 network that it was made of, and its 95 % interval."
    )
    header = ["metric", "noisy", "pretrained", "to float32", "95 % interval"]
    yield from (
        "",
        *table(header, [_metric(metric, score, split) for metric, score in split.scores.items()]),
    )
    found, (low, high) = shipped.by_snr, shipped.claim["data"]["snr_db"]
    yield from prose(
        f"{metric_of(by_snr.METRIC).heading} by SNR of the input, {found.items} mixtures of the recordings of dev each. It "
        f"learned from {low:g} to {high:g} dB; where the second line is below the first, leave the sound as it is:"
    )
    levels = sorted(found.noisy, key=float)
    rows = [
        [kind, *(_figure(by_snr.METRIC, means[level]) for level in levels)]
        for kind, means in (("noisy", found.noisy), ("pretrained", found.enhanced))
    ]
    yield from ("", *table(["SNR", *(f"{level} dB" for level in levels)], rows))


def _metric(name: str, score: Score, split: Split) -> list[str]:
    metric = metric_of(name)
    low, high = score.low, score.high
    interval = NONE if low is None else f"{metric.format(low, '+')} to {metric.format(high, '+')}"
    change = NONE if score.difference is None else metric.format(score.difference, "+")
    noisy = _figure(name, split.noisy[name]) if name in split.noisy else NONE
    return [metric.heading, noisy, _figure(name, score.mean), change, interval]


def _robustness(shipped: Shipped) -> Iterator[str]:
    yield ""
    yield from sweep_markdown(shipped.robustness).splitlines()


def _costs(shipped: Shipped) -> Iterator[str]:
    version = ", ".join(sorted({report.vela_version for report in shipped.reports.values()}))
    yield from ("", "## What it costs")
    yield from prose(
        f"Estimates of Vela {version} for one frame; x is against the dense int8 network."
    )
    header = [
        "target",
        "flash",
        "of it weights",
        "SRAM",
        "cycles",
        "x",
        "time",
        "of a hop",
        "bound by",
    ]
    yield from ("", *table(header, [_cost(shipped, target) for target in shipped.row.costs]))
    ratio = shipped.view.flash_ratio(shipped.row)
    against = f"{factor(ratio)} below the float32 parameters; " if ratio else ""
    cpu = sorted({name for cost in shipped.row.costs.values() for name in cost.cpu_operators})
    flash = kilobytes(shipped.row.costs[SHARED].flash_bytes)
    yield from prose(
        f"Flash of {TITLES[SHARED]}: {flash}, {against}operators left to the CPU: {', '.join(cpu) or 'none'}."
    )


def _cost(shipped: Shipped, target: str) -> list[str]:
    cost, seconds = shipped.row.costs[target], shipped.reports[target].inference_seconds
    share = seconds * shipped.front_end.sample_rate / shipped.front_end.hop
    sizes = [
        kilobytes(size) for size in (cost.flash_bytes, cost.encoded_weight_bytes, cost.sram_bytes)
    ]
    ratio = factor(shipped.view.cycles_ratio(shipped.row, target))
    times = [ms(seconds), f"{share:.1%}", cost.bound_by]
    return [TITLES.get(target, target), *sizes, format_count(cost.cycles), ratio, *times]


def _data(shipped: Shipped) -> Iterator[str]:
    row, claim = shipped.row, shipped.claim
    way = shipped.view.way(row)
    names = ", ".join(f"`{one.row}`" for one in way)
    epochs = " + ".join(str(one.epochs) for one in way if one.epochs)
    yield from ("", "## What it learned from")
    lengths = " and ".join(f"{minutes(found)} of {kind}" for kind, found in shipped.kinds.items())
    low, high = claim["data"]["snr_db"]
    yield from prose(
        f"{lengths}, mixed on the fly at {low:g} to {high:g} dB SNR; dev and test have other speakers and other "
        f"recordings of noise. Way: {names}, {epochs} epochs, seed "
        f"{row.seed}. Data {row.data_sha256[:12]}, experiment {row.key}."
    )
    lines = [
        [escape(s.name), s.kind, str(s.files), minutes([s]), escape(s.licence)]
        for s in shipped.sources
    ]
    yield from ("", *table(["source", "kind", "files", "length", "licence"], lines))
    authors = {name for source in shipped.sources for name in source.authors}
    if authors:
        names = ", ".join(escape(name) for name in sorted(authors, key=str.casefold))
        yield from prose(f"Authors of the noise under CC BY: {names}.")


def _limits(shipped: Shipped) -> Iterator[str]:
    data, rate, kinds = shipped.claim["data"], shipped.front_end.sample_rate, shipped.kinds
    low, high = data["snr_db"]
    yield from ("", "## Limits", "")
    yield from item(
        f"Inside it is {rate / 1000:g} kHz: other rates are resampled, nothing above {rate / 2000:g} kHz is left. "
        "Mono: channels are enhanced each on its own, what they have in common is not used."
    )
    found = shipped.by_snr
    harmed = sorted(
        (snr for snr in found.noisy if _is_harmed(found.noisy[snr], found.enhanced[snr])), key=float
    )
    if harmed:
        yield from item(f"At {', '.join(harmed)} dB SNR it takes more than it gives (table).")
    languages = sorted(
        {name.partition(", ")[2].split()[0] for name in (s.name for s in kinds["speech"])} - {""}
    )
    yield from item(
        f"It has heard {minutes(kinds['speech'])} of read speech of adults, {' and '.join(languages)}: no "
        "conversation, no shouting, no singing, no children."
    )
    talkers = (
        f"other talkers in {data['babble']:.0%} of the mixtures"
        if data.get("babble")
        else "no talker mixed in"
    )
    rooms = (
        "rooms of measured impulse responses"
        if data.get("rirs")
        else "no rooms: reverberation may hurt"
    )
    yield from item(
        f"Its noise was {minutes(kinds['noise'])} of environmental sound, little of it cars, with {talkers}, and in "
        f"{rooms}."
    )
    yield from item(
        "It scales magnitudes and keeps the noisy phase. It can remove quiet speech: not for safety, not for evidence."
    )


def _is_harmed(noisy: float, enhanced: float) -> bool:
    """Return whether the table shows less after than before."""
    shown = [float(_figure(by_snr.METRIC, value)) for value in (noisy, enhanced)]
    return shown[1] < shown[0]


def _again(shipped: Shipped) -> Iterator[str]:
    yield from ("", "## Make it again", "", "```")
    yield f"python -m benchmarks.paper --only 'speech/{shipped.row.row}' --speech DIR --noise DIR"
    yield f"python -m benchmarks.paper --pretrained {shipped.row.row}"
    yield "```"
    versions = ", ".join(
        f"{name} {number}" for name, number in shipped.row.measured_on["versions"].items() if number
    )
    yield from prose(
        f"It was made on {str(shipped.row.measured_on['date'])[:10]} with {versions}. Any other row can take its "
        "place: the second command writes this page and the files in `tinyprune/pretrained/` together."
    )


def _figure(name: str, value: float) -> str:
    return metric_of(name).format(value)


def ms(seconds: float) -> str:
    """Return seconds as milliseconds."""
    return f"{seconds * 1000:.3g} ms"


def minutes(sources: Sequence[Source]) -> str:
    """Return the length of sources together."""
    length = sum(source.seconds for source in sources) / 60
    return f"{length:.0f} min" if length >= 10 else f"{length:.1f} min"


def prose(text: str) -> list[str]:
    """Return a paragraph, after an empty line."""
    return ["", *textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]


def item(text: str) -> list[str]:
    """Return an item of a list."""
    return textwrap.wrap(
        f"- {text}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
