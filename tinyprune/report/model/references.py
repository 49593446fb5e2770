"""What the A and B of ``tinyprune compare A B`` stand for, and what of one is compared with what of the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.errors import UsageError, unknown_name
from tinyprune.report.model.loading import load_summaries


@dataclass(frozen=True)
class Reference:
    """One side of a comparison.

    Attributes:
        text: as it was given.
        summaries: one per target; of two for the same target the first counts.
        variant: the one that was named; None: all of them.
    """

    text: str
    summaries: tuple[RunSummary, ...]
    variant: str | None = None


@dataclass(frozen=True)
class Pair:
    """Two summaries for the same target.

    Attributes:
        before, after: the summaries.
        variants: names of the variants that are compared, (before, after).
    """

    before: RunSummary
    after: RunSummary
    variants: tuple[tuple[str, str], ...]


def resolve(text: str, run: Path) -> Reference:
    """What a text stands for: a variant of ``run``, a run folder, a JSON file, or either of them with ``:VARIANT``.

    A name that is both a variant and a folder is the variant; ``./NAME`` is the folder. Raises
    UsageError if there is no such thing, and what :func:`tinyprune.report.model.loading.load`
    raises.
    """
    own = _of_folder(run) if _plain(text) else ()
    if text in _variant_names(own):
        return Reference(text, own, text)
    if text and _exists(Path(text)):
        return Reference(text, _read(Path(text)))
    place, _, variant = text.rpartition(":")
    if place and _exists(Path(place)):
        return Reference(text, _with_variant(Path(place), variant), variant)
    raise _nothing(text, run, own)


def pairs(before: Reference, after: Reference) -> tuple[Pair, ...]:
    """What is compared, one entry per target that both have. Raises UsageError if that is nothing."""
    left, right = _by_target(before), _by_target(after)
    common = [key for key in left if key in right]
    if not common:
        have = f"{before.text} has {_targets(left.values())}; {after.text} has {_targets(right.values())}"
        raise UsageError(
            f"nothing was compiled for the same target: {have}; compile both for the same one"
        )
    found = [
        Pair(left[key], right[key], _matched(before, after, left[key], right[key]))
        for key in common
    ]
    found = [pair for pair in found if pair.variants]
    if not found:
        have = f"{before.text} has {_variants(left.values())}; {after.text} has {_variants(right.values())}"
        raise UsageError(
            f"no variant has the same name: {have}; name one of each, as in {before.text}:VARIANT"
        )
    return tuple(found)


def left_out(before: Reference, after: Reference) -> tuple[str, ...]:
    """What only one side has, a line each."""
    left, right = _by_target(before), _by_target(after)
    lines = []
    for (mine, one), (theirs, _) in (
        ((left, before), (right, after)),
        ((right, after), (left, before)),
    ):
        if missing := [summary for key, summary in mine.items() if key not in theirs]:
            lines.append(f"only {one.text} is compiled for {_targets(missing)}")
        if not before.variant and not after.variant and not _alone(left.values(), right.values()):
            names = dict.fromkeys(
                variant.name
                for key, summary in mine.items()
                if key in theirs
                for variant in summary.variants
                if variant.name not in _variant_names([theirs[key]])
            )
            lines += [f"only {one.text} has {', '.join(names)}"] if names else []
    return tuple(lines)


def _alone(left: Iterable[RunSummary], right: Iterable[RunSummary]) -> bool:
    """Whether each side has one variant, which are compared whatever they are called."""
    return len(_variant_names(left)) == 1 == len(_variant_names(right))


def _matched(
    before: Reference, after: Reference, left: RunSummary, right: RunSummary
) -> tuple[tuple[str, str], ...]:
    """The two that are named; else those of the same name; else the only ones."""
    if before.variant and after.variant:
        return ((before.variant, after.variant),)
    mine = [before.variant] if before.variant else _variant_names([left])
    theirs = [after.variant] if after.variant else _variant_names([right])
    if common := tuple((name, name) for name in mine if name in theirs):
        return common
    return ((mine[0], theirs[0]),) if len(mine) == len(theirs) == 1 else ()


def _by_target(reference: Reference) -> dict[tuple[str, ...], RunSummary]:
    """The summaries that have the variant, by target. A name alone does not say which clock: schema 1 left it out."""
    found: dict[tuple[str, ...], RunSummary] = {}
    for summary in reference.summaries:
        if reference.variant is None or reference.variant in _variant_names([summary]):
            found.setdefault(_key(summary.target), summary)
    return found


def _key(target: NpuTarget) -> tuple[str, ...]:
    return target.name, target.npu, target.system_config, target.memory_mode


def _targets(summaries: Iterable[RunSummary]) -> str:
    targets = (summary.target for summary in summaries)
    return ", ".join(sorted(f"{target.name} ({target.system_config})" for target in targets))


def _variants(summaries: Iterable[RunSummary]) -> str:
    return ", ".join(_variant_names(summaries))


def _variant_names(summaries: Iterable[RunSummary]) -> list[str]:
    return list(
        dict.fromkeys(variant.name for summary in summaries for variant in summary.variants)
    )


def _plain(text: str) -> bool:
    """Whether it is taken for the name of a variant, not only for a path."""
    return (
        not any(mark in text for mark in "/\\:")
        and text not in ("", ".", "..")
        and not text.endswith(".json")
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or no name at all
        return False


def _of_folder(folder: Path) -> tuple[RunSummary, ...]:
    """The summaries in a run folder; none if there is no such folder."""
    paths = sorted(folder.glob("summary-*.json")) if _exists(folder) else []
    return tuple(summary for path in paths for summary in load_summaries(path) if summary.variants)


def _read(path: Path) -> tuple[RunSummary, ...]:
    """The summaries of a run folder or a JSON file. Raises UsageError if there are none."""
    if path.is_dir():
        found = _of_folder(path)
        if not found and not (path / "variants").is_dir():
            raise UsageError(
                f"{path} is not a run folder: it has no variants and no summary-TARGET.json"
            )
    else:
        found = tuple(summary for summary in load_summaries(path) if summary.variants)
    if not found:
        raise UsageError(
            f"nothing in {path} is compiled: {_compile(path if path.is_dir() else None)} first"
        )
    return found


def _with_variant(path: Path, variant: str) -> tuple[RunSummary, ...]:
    """:func:`_read`, with a variant that must be there."""
    found = _read(path)
    if variant not in _variant_names(found):
        raise _unknown_variant(path, variant, found)
    return found


def _unknown_variant(path: Path, variant: str, found: Iterable[RunSummary]) -> UsageError:
    if variant and _exists(path / "variants" / variant):
        return UsageError(f"variant {variant} of {path} is not compiled: {_compile(path)} first")
    return unknown_name(f"variant of {path}", variant, _variant_names(found))


def _nothing(text: str, run: Path, own: tuple[RunSummary, ...]) -> UsageError:
    """Why a text stands for nothing."""
    if not _plain(text):
        return UsageError(
            f"there is no '{text}': expected a variant of {run}, a run folder, a JSON file, "
            "FOLDER:VARIANT or FILE:VARIANT"
        )
    if own or _exists(run / "variants" / text):
        return _unknown_variant(run, text, own)
    state = "in which nothing is compiled" if _exists(run) else "which does not exist"
    return UsageError(
        f"'{text}' is neither a run folder nor a JSON file, nor a variant of {run}, {state}: "
        f"{_compile(run)} first, or choose another --run"
    )


def _compile(run: Path | None) -> str:
    """The command that makes a summary."""
    default = run is None or run == Path("runs/default")
    return "run `tinyprune compile`" if default else f"run `tinyprune compile --run {run}`"
