"""The prunings that one command line asks for.

One pruning, a structure and then another, a ladder of sparsities, one to a budget, or the offline
control.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyprune.cli import options
from tinyprune.cli.settings import flag_of
from tinyprune.config import (
    BudgetPruning,
    MagnitudePruning,
    OfflinePruning,
    PruneConfig,
    TrainedPruning,
    check,
    from_mapping,
)
from tinyprune.config.budget import BudgetConfig
from tinyprune.config.family import fields_of
from tinyprune.config.pruning import (
    DIFFERENTIABLE,
    LOW_RANK,
    MAGNITUDE,
    SAME_SPARSITY,
    TargetConfig,
    sparsity_of_pattern,
)
from tinyprune.config.settings import setting_of
from tinyprune.errors import UsageError

Values = Mapping[str, Any]

_NOT_GIVEN: tuple[Any, ...] = (None, (), {})
#: Option of a pruning -> the table of the recipe that its value is in.
_OPTIONS_OF_TABLES = {
    **dict.fromkeys(fields_of(BudgetConfig), "budget"),
    **dict.fromkeys(fields_of(TargetConfig), "target"),
}
_FIELDS = {**PruneConfig.family.fields, **fields_of(BudgetConfig), **fields_of(TargetConfig)}


@dataclass(frozen=True)
class Ladder:
    """A structure, and the sparsities that a network is pruned to by it, one after the other.

    Attributes:
        structure: e.g. "weight".
        levels: the sparsities, which grow; empty: the default, or that of n:m.
    """

    structure: str
    levels: Sequence[float] = ()


def prunings(
    flags: Values,
    sparsities: Sequence[Sequence[float]],
    then: Sequence[str],
    at_once: bool = False,
) -> list[TrainedPruning]:
    """Return the prunings with training that a command line asks for, each based on the last.

    Args:
        flags: values of the options of settings, by the names of the settings; None: not given.
        sparsities: levels of the first structure, of the second, ...; n:m structures have no entry.
            More than one level is a ladder: a pruning per level.
        then: structures after the first.
        at_once: whether one training learns all levels of a ladder.

    Raises UsageError for options that do not go together.
    """
    given = _given(flags)
    name = given.pop("name", None)
    if given.get("method") == DIFFERENTIABLE:
        _check_budget_options(given, bool(sparsities), bool(then))
        _check_settings(BudgetPruning, given)
        return _named([from_mapping(_with_tables(given), TrainedPruning)], name)
    _check_settings(MagnitudePruning, given)
    values = _with_tables(given)
    structure = values.pop("structure", MagnitudePruning.structure)
    base = values.get("base", PruneConfig.base)
    climb = _at_once if at_once else _climbed
    configs: list[TrainedPruning] = []
    for ladder in _ladders([structure, *then], sparsities):
        configs += climb(ladder, base, values)
        base = configs[-1].variant
    return _named(configs, name)


def offline_pruning(
    flags: Values, sparsities: Sequence[Sequence[float]], then: Sequence[str]
) -> OfflinePruning:
    """Return the offline control that a command line asks for; arguments as of :func:`prunings`.

    Raises UsageError for options that only training has a use for, and for more than one step.
    """
    given = _given(flags)
    if given.get("method") == DIFFERENTIABLE:
        _check_budget_options(given, bool(sparsities), bool(then), is_offline=True)
    _check_settings(OfflinePruning, given)
    structure = given.get("structure", OfflinePruning.structure)
    ladder, *others = _ladders([structure, *then], sparsities)
    steps = {
        "--seed": "seed" in given,
        "--from": "base" in given,
        "--then": bool(others),
        "a ladder of --sparsity": len(ladder.levels) > 1,
    }
    for option, is_given in steps.items():
        if is_given:
            raise UsageError(f"{option} {_WITHOUT_TRAINING}")
    if ladder.levels:
        given["sparsity"] = ladder.levels[0]
    return from_mapping(given, OfflinePruning)


def _given(flags: Values) -> dict[str, Any]:
    """Return the options that are given."""
    return {name: value for name, value in flags.items() if value not in _NOT_GIVEN}


def _with_tables(given: Values) -> dict[str, Any]:
    """Return the values of a pruning, with the options of its budget and target in tables."""
    values = dict(given)
    for option in _OPTIONS_OF_TABLES:
        values.pop(option, None)
    tables = {"budget": options.chosen_limits(given), "target": options.chosen_target(given)}
    return {**values, **_given(tables)}


def _ladders(structures: Sequence[str], sparsities: Sequence[Sequence[float]]) -> list[Ladder]:
    """Return a ladder per structure; n:m has its own sparsity and needs none of ``sparsities``.

    Where there is one for every structure, that of n:m says the same as its name.
    """
    is_one_each = len(sparsities) == len(structures)
    remaining = list(sparsities)
    ladders = []
    for structure in structures:
        own = sparsity_of_pattern(structure)
        takes_levels = own is None or is_one_each
        levels = remaining.pop(0) if remaining and takes_levels else ()
        if own is not None and levels:
            _check_own_sparsity(structure, own, levels)
            levels = ()
        ladders.append(Ladder(structure, levels))
    if remaining:
        free = len(sparsities) - len(remaining)
        expected = "no --sparsity"
        if free:
            expected = f"{free} or fewer --sparsity"
        raise UsageError(
            f"{' then '.join(structures)}: expected {expected}, n:m has its own; "
            f"got {len(sparsities)}"
        )
    return ladders


def _check_own_sparsity(structure: str, own: float, levels: Sequence[float]) -> None:
    """Raise UsageError where ``--sparsity`` does not say the same as the name of n:m."""
    if len(levels) > 1 or abs(levels[0] - own) > SAME_SPARSITY:
        given = ",".join(f"{level:g}" for level in levels)
        raise UsageError(
            f"--sparsity {given}: {structure} has its own, {own:g}: leave --sparsity out, "
            "or try --structure weight"
        )


def _climbed(ladder: Ladder, base: str, values: Values) -> list[TrainedPruning]:
    """Return the prunings of a ladder, which starts from the variant ``base``.

    Each is named after ``base`` and its level. The level of a unit pruning counts all units that
    ``base`` has; its configuration, those that are left. Every level of low rank starts from
    ``base``: the factors of a layer are two layers, which would be divided in turn.
    """
    configs: list[TrainedPruning] = []
    start = base
    removed = 0.0
    for level in ladder.levels or (None,):
        own = {**values, "structure": ladder.structure, "sparsity": level}
        name = from_mapping({**own, "base": base}, TrainedPruning).variant
        names = [config.variant for config in configs]
        if name in names:
            raise UsageError(
                f"--sparsity {level}: there is a variant '{name}' in this ladder already: "
                "leave it out"
            )
        if ladder.structure == LOW_RANK:
            start = base
        if ladder.structure == "unit" and level is not None:
            own["sparsity"] = round(1 - (1 - level) / (1 - removed), 6)
            removed = level
        config = from_mapping({**own, "base": start}, TrainedPruning)
        if config.variant != name:
            config = dataclasses.replace(config, name=name)
        configs.append(config)
        start = config.variant
    return configs


def _at_once(ladder: Ladder, base: str, values: Values) -> list[TrainedPruning]:
    """Return the prunings of a ladder that is one training: that of the lowest level, the first.

    Raises UsageError for a structure with less than two levels.
    """
    if len(ladder.levels) < 2:
        raise UsageError(
            f"--at-once learns several levels of {ladder.structure} in one training: expected a "
            "ladder, e.g. --sparsity 0.25,0.5,0.75"
        )
    of_all = {**values, "base": base, "structure": ladder.structure, "levels": [*ladder.levels]}
    lowest, *others = ladder.levels
    host = from_mapping({**of_all, "sparsity": lowest}, TrainedPruning)
    of_all["trained_in"] = host.variant
    levels = [from_mapping({**of_all, "sparsity": level}, TrainedPruning) for level in others]
    return [host, *levels]


def _named(configs: list[TrainedPruning], name: str | None) -> list[TrainedPruning]:
    """Return the prunings with the last called ``name``, those before it ``name-1``, ``name-2``."""
    if name is None:
        return configs
    named: list[TrainedPruning] = []
    new_names: dict[str, str] = {}
    for number, config in enumerate(configs, 1):
        own = name if number == len(configs) else f"{name}-{number}"
        base = new_names.get(config.base, config.base)
        renamed = dataclasses.replace(config, name=own, base=base)
        if isinstance(renamed, MagnitudePruning) and renamed.trained_in:
            renamed = dataclasses.replace(renamed, trained_in=new_names[renamed.trained_in])
        check(renamed)
        named.append(renamed)
        new_names[config.variant] = own
    return named


# --- options that do not go together
# --------------------------------------------------------------------------------------------------

_WITHOUT_TRAINING = "goes with training: --offline prunes once, to one --sparsity, without it"


def _check_settings(kind: type[PruneConfig], given: Values) -> None:
    """Raise UsageError for the first option of a setting that a way to prune does not have."""
    family = PruneConfig.family
    if given.get("method", MAGNITUDE) not in family.names:
        return  # the method itself is refused where it is read
    known = {family.key, *fields_of(kind)}
    for option in given:
        name = _OPTIONS_OF_TABLES.get(option, option)
        if name not in known:
            raise UsageError(f"{flag_of(_FIELDS[option])} {_refusal(kind, name)}")


def _refusal(member: type[PruneConfig], name: str) -> str:
    """Return what is said of the option of a setting that a way to prune does not have."""
    [owner, *_] = PruneConfig.family.owners(name)
    if owner is BudgetPruning:
        return f"goes with --method {DIFFERENTIABLE}: add that; without it nothing is held to it"
    if member is OfflinePruning:
        return _WITHOUT_TRAINING
    return _not_with_budget(setting_of(PruneConfig.family.fields[name]).instead)


def _check_budget_options(
    given: Values, has_sparsity: bool, has_then: bool, is_offline: bool = False
) -> None:
    """Raise UsageError for the first option that has nothing to do in a pruning to a budget."""
    structure = given.get("structure", BudgetPruning.structure)
    structure_option = f"--structure {structure}"
    is_given = {
        "--sparsity": has_sparsity,
        structure_option: structure != BudgetPruning.structure,
        "--then": has_then,
        "--offline": is_offline,
    }
    reasons = {
        "--sparsity": setting_of(PruneConfig.family.fields["sparsity"]).instead,
        structure_option: f"{DIFFERENTIABLE} removes whole units",
        "--then": "one pruning meets the budget; prune its result again with --from",
        "--offline": f"it prunes without training, which {DIFFERENTIABLE} is",
    }
    for option, why in reasons.items():
        if is_given[option]:
            raise UsageError(f"{option} {_not_with_budget(why)}")


def _not_with_budget(why: str) -> str:
    """Return that an option has nothing to do in a pruning to a budget."""
    return f"does not go with --method {DIFFERENTIABLE}: {why}"
