"""Model cards as Hugging Face reads them: YAML front matter, then Markdown, all from records."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from tinyprune.artifacts.card import CardFacts
from tinyprune.artifacts.quality import Quality, by_engine
from tinyprune.artifacts.quantity import FLASH, SRAM, TOTAL_CYCLES
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.number_text import shown_milliseconds
from tinyprune.report.render.markdown import bullets, escape, pipe_table, prose
from tinyprune.units import format_bytes

#: Data set -> the task that Hugging Face knows it as (huggingface.co/tasks).
_TASKS_OF_DATA = {
    "synthetic-speech": "audio-to-audio",
    "mixture": "audio-to-audio",
    "paired": "audio-to-audio",
    "keywords": "audio-classification",
    "images": "image-classification",
}
_TAGS = ("tflite", "int8", "pruning", "ethos-u", "microcontroller")
_UNPROCESSED, _FLOAT, _ONLY_FORM = "noisy", "float", "int8"


def card(facts: CardFacts, licence: str | None = None) -> str:
    """Return the card of a network. ``licence``: its identifier, e.g. "apache-2.0"."""
    lines = ["---", *_front_matter(facts, licence), "---", "", f"# {escape(facts.name)}", ""]
    lines += _what(facts)
    for part in (_quality, _costs, _training, _limits, _use):
        lines += part(facts)
    return "\n".join(lines) + "\n"


# --- front matter: YAML, whose texts and numbers are those of JSON


def _front_matter(facts: CardFacts, licence: str | None) -> Iterator[str]:
    if licence:
        yield f"license: {json.dumps(licence)}"
    yield "library_name: litert"
    task = _TASKS_OF_DATA.get(facts.data)
    if task:
        yield f"pipeline_tag: {task}"
    yield "tags:"
    yield from (f"- {tag}" for tag in _TAGS)
    scored = _of_device(facts)
    values = _finite(scored) if scored else {}
    if not values or scored is None:
        return
    yield "model-index:"
    yield f"- name: {json.dumps(facts.name)}"
    yield "  results:"
    yield "  - task:"
    yield f"      type: {task or 'other'}"
    yield "    dataset:"
    yield f"      name: {json.dumps(f'{facts.data}, {scored.split}')}"
    yield f"      type: {json.dumps(facts.data)}"
    yield f"      split: {scored.split}"
    yield "    metrics:"
    for name, value in values.items():
        yield f"    - type: {name}"
        yield f"      value: {value:.6g}"
        yield f"      name: {json.dumps(metric_of(name).heading)}"


def _of_device(facts: CardFacts) -> Quality | None:
    """Return the quality of the graph that the device runs: the first that is int8."""
    for quality in facts.qualities:
        if quality.form not in (_UNPROCESSED, _FLOAT):
            return quality
    return None


def _finite(quality: Quality) -> dict[str, float]:
    """Return the metrics that have a value."""
    return {name: value for name, value in quality.metrics.items() if math.isfinite(value)}


# --- text


def _what(facts: CardFacts) -> Iterator[str]:
    weights = sum(tensor.size for tensor in facts.tflite.tensors)
    stream = ""
    if facts.hop_seconds:
        stream = f" It runs once per {1000 * facts.hop_seconds:g} ms of signal."
    classes = ""
    if facts.classes:
        classes = f" It tells apart {', '.join(facts.classes)}."
    yield prose(
        f"A network for {facts.task}, int8 TFLite for Arm Ethos-U, compressed with tinyprune: "
        f"{weights:,} weights, {facts.tflite.sparsity:.1%} of them zero.{stream}{classes}"
    )
    yield ""
    size = format_bytes(facts.tflite.file_bytes)
    yield f"`{facts.tflite.path.name}`: {size}, SHA-256 `{facts.tflite.sha256}`."


def _quality(facts: CardFacts) -> Iterator[str]:
    names: list[str] = []
    for quality in facts.qualities:
        names += [name for name in _finite(quality) if name not in names]
    if not names:
        return
    rows = []
    for quality in facts.qualities:
        rows.append([_form(quality), quality.split, str(quality.utterances)])
        rows[-1] += [_metric(quality, name) for name in names]
    header = ["", "split", "items", *(metric_of(name).heading for name in names)]
    yield from ("", "## Quality", "")
    yield from pipe_table(header, rows, {0, 1})


def _form(quality: Quality) -> str:
    if quality.form == _UNPROCESSED:
        return "unprocessed input"
    if quality.form == _FLOAT:
        return "trained network"
    engine = escape(by_engine(quality.engine))
    if quality.form == _ONLY_FORM:
        return _ONLY_FORM + engine
    return f"int8, {escape(quality.form)}{engine}"


def _metric(quality: Quality, name: str) -> str:
    value = _finite(quality).get(name)
    return "" if value is None else metric_of(name).format(value)


def _costs(facts: CardFacts) -> Iterator[str]:
    if not facts.costs:
        return
    rows = []
    for target, report in facts.costs.items():
        figures = [quantity.format(quantity.of_report(report)) for quantity in _QUANTITIES]
        seconds = report.inference_seconds / facts.tflite.frames
        rows.append([escape(target), *figures, shown_milliseconds(seconds)])
    yield from ("", "## Costs", "", "Estimates of Vela for one inference.", "")
    yield from pipe_table(["target", *(q.label for q in _QUANTITIES), "ms"], rows, {0})


_QUANTITIES = (FLASH, SRAM, TOTAL_CYCLES)


def _training(facts: CardFacts) -> Iterator[str]:
    if not facts.settings:
        return
    rows = []
    for table, settings in facts.settings.items():
        rows += [[escape(f"{table}.{key}"), escape(str(value))] for key, value in settings.items()]
    yield from ("", "## Training", "", f"Data: {escape(facts.data)}. What was set:", "")
    yield from pipe_table(["setting", "value"], rows, {0, 1})


def _limits(facts: CardFacts) -> Iterator[str]:
    if facts.limits:
        yield from ("", "## Limits", "", *bullets(facts.limits))


def _use(facts: CardFacts) -> Iterator[str]:
    if facts.command:
        yield from ("", "## Use", "", "```", facts.command, "```")
    versions = _versions(list(facts.versions.items()))
    if versions:
        yield from ("", f"Made with {versions}.")


def _versions(pairs: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(f"{escape(name)} {escape(str(version))}" for name, version in pairs)
