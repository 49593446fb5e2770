"""The model card of the network that comes with tinyprune, written from records and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks.paper.card import USE, item, minutes, ms, prose
from benchmarks.paper.sources import Source
from benchmarks.paper.tables import kilobytes, table
from benchmarks.pretrained.measure import RECORDINGS, SNRS_DB, UTTERANCES, Record
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.config import RunConfig
from tinyprune.data.speech.augmentation import RUMBLE_HZ
from tinyprune.metrics.metric import metric_of
from tinyprune.report.render.markdown import escape
from tinyprune.units import format_bytes, format_count

#: SI-SDR in dB lost by which doing nothing would have been better.
HARM_DB = 0.5


@dataclass(frozen=True)
class Shipped:
    """A network and all that is known of it.

    Attributes:
        artifact, front_end: of the graph. tuned, pruned, recipe: of its training in float32, of the
            one in which it was pruned, and of the last one. data_sha256: of the training data. reports: by target. sources: of the training data. measured, before: figures of it
            and of the network that was shipped before. made_with: versions and date.
    """

    artifact: TFLiteArtifact
    front_end: DeviceFrontEnd
    tuned: RunConfig
    pruned: RunConfig
    recipe: RunConfig
    data_sha256: str
    reports: Mapping[str, ResourceReport]
    sources: Sequence[Source]
    measured: Record
    before: Record
    made_with: Mapping[str, Any]


def text(shipped: Shipped) -> str:
    """The page."""
    parts = (_what, _clean, _noise, _quality, _costs, _data, _limits, _again)
    lines = ["# The pretrained denoiser"]
    for part in parts:
        lines += part(shipped)
    return "\n".join(lines) + "\n"


def _what(shipped: Shipped) -> Iterator[str]:
    artifact, front_end = shipped.artifact, shipped.front_end
    weights = sum(tensor.size for tensor in artifact.tensors)
    yield from prose(
        "A speech denoiser that comes with tinyprune and works right after installation: TinyLSTM, int8, "
        f"{weights:,} weights, {artifact.sparsity:.1%} of them zero. Every "
        f"{ms(front_end.hop / front_end.sample_rate)} it takes {front_end.bands} mel features of a frame of "
        f"{ms(front_end.frame / front_end.sample_rate)} and gives a mask for them; what goes in comes out "
        f"{ms(front_end.latency_seconds)} later. `python -m benchmarks.pretrained ship` wrote this page from the "
        "records of its training and of `measure`; no number in it was typed."
    )
    yield from ("", "```", *USE.splitlines(), "```")
    yield from prose(
        f"`denoiser.tflite`, {format_bytes(artifact.file_bytes)}, SHA-256 `{artifact.sha256}`, and beside it "
        "`denoiser.frontend.json`, with all numbers that firmware needs around it ([deploy](how-to/deploy.md)). It "
        "is under the licence of tinyprune; none of the recordings that it learned from is in it."
    )


def _clean(shipped: Shipped) -> Iterator[str]:
    yield from ("", "## What it does to clean speech")
    yield from prose(
        f"SI-SDR in dB of what comes out against the clean speech that goes in, {UTTERANCES} speakers of dev, as "
        f"recorded (without what lies below {RUMBLE_HZ:g} Hz: the denoiser removes the rumble of two of the recordings), "
        "faster (pitch and formants rise), and with the spectrum of a loud voice. `before` is the network "
        "that was shipped before, which was trained on read speech of adults at -6 to 9 dB SNR."
    )
    rows = []
    for name, (mean, worst) in shipped.measured.clean.items():
        old_mean, old_worst = shipped.before.clean[name]
        rows.append([name, _db(mean), _db(worst), _db(old_mean), _db(old_worst)])
    header = ["speech", "mean", "worst", "before: mean", "worst"]
    yield from ("", *table(header, rows))


def _noise(shipped: Shipped) -> Iterator[str]:
    yield from ("", "## What it does to noise")
    yield from prose(
        f"SI-SDR gained in dB, mean over the ten kinds of noise, up to {RECORDINGS} recordings of each of dev and of "
        "test, other speakers in each, and the worst kind; below 0 it takes more than it gives:"
    )
    rows = []
    for name, record in (("pretrained", shipped.measured), ("before", shipped.before)):
        means = [_db(_mean(record.kinds[str(snr_db)]), "+") for snr_db in SNRS_DB]
        worst = [_db(min(record.kinds[str(snr_db)].values()), "+") for snr_db in SNRS_DB]
        rows += [[name, *means], ["worst kind", *worst]]
    yield from ("", *table(["SNR", *(f"{snr_db} dB" for snr_db in SNRS_DB)], rows))
    levels = shipped.measured.levels
    spread = max(levels.values()) - min(levels.values())
    yield from prose(
        f"The level of the recording hardly matters: from {' to '.join(_ends(levels))} dBFS its SI-SDR in rain at 5 dB "
        f"differs by {spread:.2f} dB."
    )


def _quality(shipped: Shipped) -> Iterator[str]:
    measured, before = shipped.measured, shipped.before
    yield from prose(
        "Means of the 96 mixtures of the test split of [results.md](results.md), at -6 to 9 dB, and of "
        f"{UTTERANCES} mixtures of dev speakers with one to three talkers and noise, all in simulated rooms, at -6 to "
        "9 dB:"
    )
    header = [
        "metric",
        "test: noisy",
        "pretrained",
        "before",
        "talkers: noisy",
        "pretrained",
        "before",
    ]
    rows = []
    for name in measured.test:
        metric = metric_of(name)
        values = [measured.test_noisy, measured.test, before.test]
        values += [measured.talkers_noisy, measured.talkers, before.talkers]
        rows.append([metric.heading, *(metric.format(value[name]) for value in values)])
    yield from ("", *table(header, rows))


def _costs(shipped: Shipped) -> Iterator[str]:
    versions = sorted({report.vela_version for report in shipped.reports.values()})
    yield from ("", "## What it costs")
    yield from prose(f"Estimates of Vela {', '.join(versions)} for one frame.")
    header = ["target", "flash", "of it weights", "SRAM", "cycles", "time", "of a hop", "bound by"]
    rows = [_cost(shipped, name, report) for name, report in shipped.reports.items()]
    yield from ("", *table(header, rows))


def _cost(shipped: Shipped, name: str, report: ResourceReport) -> list[str]:
    seconds = report.inference_seconds
    share = seconds * shipped.front_end.sample_rate / shipped.front_end.hop
    sizes = (report.flash_bytes, report.encoded_weight_bytes, report.sram_bytes)
    times = [ms(seconds), f"{share:.1%}", report.bound_by]
    return [name, *(kilobytes(size) for size in sizes), format_count(report.cycles), *times]


def _data(shipped: Shipped) -> Iterator[str]:
    first, second, data = shipped.tuned.data, shipped.pruned.data, shipped.recipe.data
    yield from ("", "## What it learned from")
    lengths = [f"{minutes(found)} of {kind}" for kind, found in _by_kind(shipped).items()]
    yield from prose(
        f"{' and '.join(lengths)}, mixed on the fly in three trainings: at {_noisiness(first)}; at {_noisiness(second)}; "
        f"at {_noisiness(data)}. Half of it is {data.speed[0]:g} to {data.speed[1]:g} times as fast; the spectrum of half of "
        f"the speech is tilted by {data.tilt_db[0]:g} to {data.tilt_db[1]:g} dB per octave; half of it is in {data.rooms} "
        "simulated rooms; "
        f"microphones that colour by up to {data.colour_db:g} dB; single talkers in {data.talkers:.0%}, babble in "
        f"{data.babble:.0%}; {data.narrow:.0%} in narrow bands, {data.clipped:.0%} clipped. Noise is left at "
        f"{data.max_attenuation_db:g} dB below what it was. Dev and test have other speakers and other recordings of "
        f"noise. Data {shipped.data_sha256[:12]}."
    )
    rows = []
    for source in shipped.sources:
        length = minutes([source])
        rows.append(
            [escape(source.name), source.kind, str(source.files), length, escape(source.licence)]
        )
    yield from ("", *table(["source", "kind", "files", "length", "licence"], rows))
    authors = {name for source in shipped.sources for name in source.authors}
    named = ", ".join(escape(name) for name in sorted(authors, key=str.casefold))
    yield from prose(f"Authors of the noise under CC BY: {named}.")


def _limits(shipped: Shipped) -> Iterator[str]:
    measured = shipped.measured
    yield from ("", "## Limits", "")
    yield from item(
        "Inside it is 16 kHz: other rates are resampled, nothing above 8 kHz is left. Mono: channels are enhanced "
        "each on its own, what they have in common is not used."
    )
    harmed = []
    for snr_db, kinds in measured.kinds.items():
        names = [name for name, gained in kinds.items() if gained < -HARM_DB]
        if names:
            harmed.append(f"{', '.join(names)} at {snr_db} dB")
    if harmed:
        yield from item(
            f"More than {HARM_DB:g} dB is lost in {'; '.join(harmed)} SNR: leave such sound as it is."
        )
    lost = _mean_loss(measured.test, shipped.before.test)
    if lost:
        yield from item(f"On the paper's test split it is behind the network before: {lost}.")
    yield from item(
        "Talkers in the background stay: it tells speech from noise, not one voice from another. It has heard read "
        "speech and voice commands in English and German: no conversation, no real shouting, no singing."
    )
    if measured.limit_db is not None:
        yield from item(
            f"No band is attenuated by more than {measured.limit_db:g} dB, as it has learned; all figures here are at that "
            "limit. `enhance --max-attenuation 15dB` sets another: more noise stays, and less of unusual speech is lost."
        )
    yield from item(
        "It scales magnitudes and keeps the noisy phase. It can remove quiet speech: not for safety, not for evidence."
    )


def _mean_loss(after: Mapping[str, float], before: Mapping[str, float]) -> str:
    """Return the metrics that got worse, with their differences."""
    found = []
    for name, value in after.items():
        metric = metric_of(name)
        if float(metric.format(value)) < float(metric.format(before[name])):
            found.append(f"{metric.heading} {metric.format(value - before[name], '+')}")
    return ", ".join(found)


def _again(shipped: Shipped) -> Iterator[str]:
    [pruning], [finishing] = shipped.pruned.prune, shipped.recipe.prune
    yield from ("", "## Make it again", "", "```")
    yield "python -m benchmarks.pretrained --data DIR --more DIR train        # goes on where it was left"
    yield "python -m benchmarks.pretrained --data DIR measure                 # what it does, into results/"
    yield "python -m benchmarks.pretrained --data DIR --more DIR ship         # this page, and the files in the package"
    yield "```"
    yield from prose(
        "It begins with the int8 graph of row `differentiable-cycles-36k-weight-0.77-16-clusters` of "
        "[results.md](results.md) (`benchmarks/pretrained/start/`), which is given more units and trained on in float32 "
        f"(`tune.toml`; of {shipped.tuned.train.epochs} epochs 34 were run). The mean of the weights before and after is "
        f"pruned in int8, with {pruning.clusters} values per kernel (`prune.toml`, {pruning.epochs} epochs), and trained on "
        f"in less noise (`finish.toml`, {finishing.epochs} epochs). More of the beginning takes more noise away, and more of "
        "unusual speech with it."
    )
    versions = shipped.made_with["versions"]
    named = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    yield from prose(f"It was made on {str(shipped.made_with['date'])[:10]} with {named}.")


def _noisiness(data: Any) -> str:
    lowest, highest = data.snr_db
    return f"{lowest:g} to {highest:g} dB SNR, {data.clean_share:.0%} without noise"


def _by_kind(shipped: Shipped) -> dict[str, list[Source]]:
    ordered = sorted(shipped.sources, key=lambda source: source.kind, reverse=True)
    return {kind: [*found] for kind, found in groupby(ordered, lambda source: source.kind)}


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


def _ends(levels: Mapping[str, float]) -> list[str]:
    ordered = [*levels]
    return [ordered[0], ordered[-1]]


def _db(value: float, sign: str = "") -> str:
    return metric_of("si_sdr_db").format(value, sign)
