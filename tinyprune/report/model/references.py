"""The A and B of ``tinyprune compare A B``, and what of one is compared with what of the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import UsageError, unknown_name
from tinyprune.report.model.loading import load_summaries
from tinyprune.report.model.summary import variant_names
from tinyprune.storage.run_folder import Workspace


@dataclass(frozen=True)
class Reference:
    """One side of a comparison.

    Attributes:
        text: as a person wrote it.
        summaries: one per target; of two for the same target the first counts.
        variant: the one that was named; None: all of them.
    """

    text: str
    summaries: tuple[RunSummary, ...]
    variant: str | None = None

    def names(self, summary: RunSummary) -> list[str]:
        """Return the named variant, else all variants of a summary."""
        if self.variant:
            return [self.variant]
        return variant_names([summary])


@dataclass(frozen=True)
class SummaryPair:
    """Two summaries for the same target.

    Attributes:
        before, after: the summaries.
        variants: names of the variants that are compared, (before, after).
    """

    before: RunSummary
    after: RunSummary
    variants: tuple[tuple[str, str], ...]


#: The run folder of commands without ``--run``.
DEFAULT_RUN = Path("runs/default")
_PATH_MARKS = frozenset("/\\:")

#: What tells two targets apart -> the summary.
ByTarget = dict[tuple[str, ...], RunSummary]


def reference_of(text: str, run: Path) -> Reference:
    """Return what a text stands for.

    That is a variant of ``run``, a run folder, a JSON file, or either of them with ``:VARIANT``. A
    name that is both a variant and a folder is the variant; ``./NAME`` is the folder. Raises
    UsageError if there is no such thing, TinypruneError if a file of a variant that is compared has
    changed, and what :func:`tinyprune.report.model.loading.load` raises.
    """
    own = _of_folder(run) if _may_be_variant(text) else ()
    if text in variant_names(own):
        return _unchanged(Reference(text, own, text), run)
    if _is_path(text):
        return _unchanged(Reference(text, _read(Path(text))), Path(text))
    place, _, variant = text.rpartition(":")
    if _is_path(place):
        summaries = _with_variant(Path(place), variant)
        return _unchanged(Reference(text, summaries, variant), Path(place))
    raise _unresolved(text, run, own)


def _unchanged(reference: Reference, place: Path) -> Reference:
    """Return a reference whose figures are those of the files that are there.

    Raises TinypruneError for a file of a run folder that is not as it was made.
    """
    names: dict[str, None] = {}
    for summary in reference.summaries:
        names.update(dict.fromkeys(reference.names(summary)))
    run = Workspace(place)
    for name in names:
        if (place / "variants" / name).is_dir():
            run.variant(name).verify_all()
    return reference


def summary_pairs(before: Reference, after: Reference) -> tuple[SummaryPair, ...]:
    """Return what is compared, one entry per target that both have.

    Raises UsageError if that is nothing.
    """
    left = _by_target(before)
    right = _by_target(after)
    on_same_target = _on_same_target(left, right)
    if not on_same_target:
        targets = _targets(left.values())
        other_targets = _targets(right.values())
        raise UsageError(
            f"nothing was compiled for the same target: {before.text} has {targets}; "
            f"{after.text} has {other_targets}; "
            "compile both for the same one"
        )

    found = []
    for own, other in on_same_target:
        variants = _matched(before.names(own), after.names(other))
        if variants:
            found.append(SummaryPair(own, other, variants))
    if not found:
        raise UsageError(
            f"no variant has the same name: {before.text} has {_variants(left)}; "
            f"{after.text} has {_variants(right)}; name one of each, as in {before.text}:VARIANT"
        )
    return tuple(found)


def unmatched_notes(before: Reference, after: Reference) -> tuple[str, ...]:
    """Return what only one side has, a line each."""
    left = _by_target(before)
    right = _by_target(after)
    # One variant each are compared whatever they are called.
    has_one_each = len(variant_names(left.values())) == 1 == len(variant_names(right.values()))
    is_named = before.variant or after.variant or has_one_each

    only_before = _only_notes(before.text, left, right, not is_named)
    only_after = _only_notes(after.text, right, left, not is_named)
    return (*only_before, *only_after)


def _only_notes(text: str, own: ByTarget, other: ByTarget, with_variants: bool) -> Iterator[str]:
    """The targets that one side alone has, and the variants if they are wanted."""
    missing = [own[key] for key in own.keys() - other.keys()]
    if missing:
        yield f"only {text} is compiled for {_targets(missing)}"
    names = _unmatched(own, other)
    if names and with_variants:
        yield f"only {text} has {', '.join(names)}"


def _on_same_target(own: ByTarget, other: ByTarget) -> list[tuple[RunSummary, RunSummary]]:
    """The summaries of the targets that both sides have."""
    return [(summary, other[key]) for key, summary in own.items() if key in other]


def _unmatched(own: ByTarget, other: ByTarget) -> list[str]:
    """The variants that the other side lacks, on targets that both have."""
    names: dict[str, None] = {}
    for summary, other_summary in _on_same_target(own, other):
        known = variant_names([other_summary])
        for name in variant_names([summary]):
            if name not in known:
                names[name] = None
    return list(names)


def _matched(own: Sequence[str], others: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The variants of the same name; else the only ones, or the two that are named."""
    if len(own) == len(others) == 1:
        return ((own[0], others[0]),)
    common = [name for name in own if name in others]
    return tuple(zip(common, common, strict=True))


def _by_target(reference: Reference) -> ByTarget:
    """The summaries that have the variant, by target."""
    found: ByTarget = {}
    for summary in reference.summaries:
        names = variant_names([summary])
        if set(reference.names(summary)) <= set(names):
            found.setdefault(_key(summary.target), summary)
    return found


def _key(target: NpuTarget) -> tuple[str, ...]:
    """A name alone does not say which clock: schema 1 left it out."""
    return target.name, target.npu, target.system_config, target.memory_mode


def _targets(summaries: Iterable[RunSummary]) -> str:
    texts = []
    for summary in summaries:
        target = summary.target
        texts.append(f"{target.name} ({target.system_config})")
    return ", ".join(sorted(texts))


def _variants(summaries: ByTarget) -> str:
    return ", ".join(variant_names(summaries.values()))


def _may_be_variant(text: str) -> bool:
    """True for what is taken for the name of a variant, not only for a path."""
    has_path_mark = not _PATH_MARKS.isdisjoint(text)
    is_path = has_path_mark or text in ("", ".", "..")
    return not is_path and not text.endswith(".json")


def _is_path(text: str) -> bool:
    return text != "" and _exists(Path(text))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or no name at all
        return False


def _of_folder(folder: Path) -> tuple[RunSummary, ...]:
    """The summaries in a run folder; none if there is no such folder."""
    if not _exists(folder):
        return ()
    paths = sorted(folder.glob("summary-*.json"))
    return _compiled(paths)


def _compiled(paths: Iterable[Path]) -> tuple[RunSummary, ...]:
    """The summaries in JSON files that have a variant."""
    summaries = chain.from_iterable(map(load_summaries, paths))
    return tuple(summary for summary in summaries if summary.variants)


def _read(path: Path) -> tuple[RunSummary, ...]:
    """The summaries of a run folder or a JSON file. Raises UsageError if there are none."""
    if not path.is_dir():
        found = _compiled([path])
        if not found:
            raise UsageError(f"nothing in {path} is compiled: {_compile(DEFAULT_RUN)} first")
        return found

    found = _of_folder(path)
    if found:
        return found
    if not (path / "variants").is_dir():
        raise UsageError(
            f"{path} is not a run folder: it has no variants and no summary-TARGET.json"
        )
    raise UsageError(f"nothing in {path} is compiled: {_compile(path)} first")


def _with_variant(path: Path, variant: str) -> tuple[RunSummary, ...]:
    """:func:`_read`, with a variant that must be there."""
    found = _read(path)
    if variant not in variant_names(found):
        raise _unknown_variant(path, variant, found)
    return found


def _unknown_variant(path: Path, variant: str, summaries: Sequence[RunSummary]) -> UsageError:
    if variant and _exists(path / "variants" / variant):
        return UsageError(f"variant {variant} of {path} is not compiled: {_compile(path)} first")
    return unknown_name(f"variant of {path}", variant, variant_names(summaries))


def _unresolved(text: str, run: Path, own: tuple[RunSummary, ...]) -> UsageError:
    """The reason why a text stands for nothing."""
    if not _may_be_variant(text):
        return UsageError(
            f"there is no '{text}': expected a variant of {run}, a run folder, a JSON file, "
            "FOLDER:VARIANT or FILE:VARIANT"
        )
    if own or _exists(run / "variants" / text):
        return _unknown_variant(run, text, own)
    state = "which does not exist"
    if _exists(run):
        state = "in which nothing is compiled"
    return UsageError(
        f"'{text}' is neither a run folder nor a JSON file, nor a variant of {run}, {state}: "
        f"{_compile(run)} first, or choose another --run"
    )


def _compile(run: Path) -> str:
    """The command that makes a summary."""
    if run == DEFAULT_RUN:
        return "run `tinyprune compile`"
    return f"run `tinyprune compile --run {run}`"
