"""Reports and summaries from JSON, of this schema and of older ones; unknown fields are ignored."""

from pathlib import Path
from typing import Any

from tinyprune.artifacts.resources import CompiledArtifact
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.report.model.record import SCHEMA, RunReport
from tinyprune.report.model.summary import summary_of_file
from tinyprune.storage.digests import is_changed
from tinyprune.storage.reading import LARGEST_TEXT, check_file, parse_json
from tinyprune.storage.records import from_jsonable

_EXPECTED = (
    "expected a summary-TARGET.json of a run or what `tinyprune report --format json` or "
    "`tinyprune compile --format json` prints"
)
#: What `tinyprune compile FILE.tflite --format json` prints has these keys and no schema.
_OF_A_FILE = frozenset(("source", "source_sha256", "report"))


def load(path: Path) -> RunReport | tuple[RunSummary, ...]:
    """Return the report in a JSON file, or the summaries, one per target.

    What is older has the form of today's schema. Raises UsageError if there is no such file,
    TinypruneError if it is broken, another record or of a newer schema.
    """
    value = _read(path)
    entries = value if isinstance(value, list) else [value]
    if not entries or not _are_tables(entries):
        raise _another(path)
    if all(entry.keys() >= _OF_A_FILE for entry in entries):
        artifacts = [_structured(path, entry, CompiledArtifact) for entry in entries]
        return tuple(summary_of_file(artifact) for artifact in artifacts)
    _check_schemas(path, entries)
    if "summaries" in value:
        return _report(path, value)
    return tuple(_summary(path, entry) for entry in entries)


def load_summaries(path: Path) -> tuple[RunSummary, ...]:
    """Return the summaries in a JSON file of either kind, one per target.

    Raises what :func:`load` raises.
    """
    found = load(path)
    if isinstance(found, RunReport):
        return found.summaries
    return found


def _read(path: Path) -> Any:
    """The value in a JSON file; editors and shells of Windows put a mark before UTF-8."""
    try:
        check_file(path, LARGEST_TEXT, _EXPECTED)
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}: {_EXPECTED}") from error
    except OSError as error:
        raise TinypruneError(f"cannot read {path}: {error.strerror}; {_EXPECTED}") from error
    except ValueError as error:
        raise TinypruneError(f"{path} is not JSON ({error}); {_EXPECTED}") from error


def _are_tables(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) for entry in entries)


def _check_schemas(path: Path, entries: list[dict[str, Any]]) -> None:
    """Raise TinypruneError for an edited one, and for a schema that does not exist (yet)."""
    for entry in entries:
        if is_changed(entry):
            raise TinypruneError(
                f"{path} has changed since it was written: put it back, "
                "or run `tinyprune compile` again"
            )
        schema = entry.get("schema")
        if type(schema) is not int or schema < 1:
            raise _another(path)
        if schema > SCHEMA:
            raise TinypruneError(
                f"{path} has schema {schema}, this tinyprune reads up to {SCHEMA}: "
                "install a newer one"
            )
        nested = entry.get("summaries", [])
        if not isinstance(nested, list) or not _are_tables(nested):
            raise _another(path)
        _check_schemas(path, nested)


def _report(path: Path, value: dict[str, Any]) -> RunReport:
    nested = [_upgraded(path, summary) for summary in value["summaries"]]
    return _structured(path, {**value, "schema": SCHEMA, "summaries": nested}, RunReport)


def _summary(path: Path, value: dict[str, Any]) -> RunSummary:
    return _structured(path, _upgraded(path, value), RunSummary)


def _structured(path: Path, value: dict[str, Any], kind: Any) -> Any:
    try:
        return from_jsonable(value, kind)
    except Exception as error:  # any malformed content means the same to the reader
        raise _another(path) from error


def _upgraded(path: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """A summary in the form of today's schema."""
    if summary["schema"] == SCHEMA:
        return summary
    try:
        variants = list(map(_upgraded_variant, summary["variants"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise _another(path) from error
    return {**summary, "schema": SCHEMA, "variants": variants}


def _upgraded_variant(variant: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 called the operators of a network its layers."""
    report = variant["report"]
    if "operators" not in report:
        report = {**report, "operators": report["layers"], "layers": []}
    return {**variant, "report": report}


def _another(path: Path) -> TinypruneError:
    return TinypruneError(f"{path} is neither a report nor a summary of tinyprune: {_EXPECTED}")
