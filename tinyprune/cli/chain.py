"""The prunings that one command line asks for: a structure and then another, a ladder of levels, or the control."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tinyprune.config import PruneConfig, build, to_mapping
from tinyprune.config.pruning import default_structure
from tinyprune.errors import UsageError
from tinyprune.storage.run_folder import BASELINE

#: Values of a pruning that the offline control cannot have -> the option that sets each.
_TRAINED_ONLY = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "epochs",
        "learning_rate",
        "distill",
        "schedule",
        "begin",
        "end",
        "round_to",
        "exclude",
        "seed",
    )
} | {"base": "--from"}


def chain(
    values: Mapping[str, Any],
    sparsities: Sequence[Sequence[float]],
    then: Sequence[str],
    offline: bool = False,
) -> list[PruneConfig]:
    """The prunings that a command line asks for, each based on the one before.

    Args:
        values: of every pruning.
        sparsities: levels of the first structure, of the second, ...; n:m structures have no entry.
            More than one level is a ladder: a pruning per level.
        then: structures after the first.
        offline: whether it is the offline control, which is a single pruning and has no training.
    """
    default = default_structure(values.get("method", PruneConfig.method))
    structures = [str(values.get("structure", default)), *then]
    free = [structure for structure in structures if ":" not in structure]
    if len(sparsities) > len(free):
        asked = (
            f"{len(free)} or fewer --sparsity, n:m has its own"
            if free
            else "no --sparsity, n:m has its own"
        )
        raise UsageError(f"{' then '.join(structures)}: expected {asked}; got {len(sparsities)}")
    levels = iter([*sparsities, *[()] * (len(free) - len(sparsities))])
    wanted = [(structure, next(levels) if ":" not in structure else ()) for structure in structures]
    if offline:
        return [_offline(values, wanted)]
    configs: list[PruneConfig] = []
    for structure, ladder in wanted:
        start = configs[-1].variant if configs else values.get("base", BASELINE)
        removed = 0.0  # of the units that were there before this ladder
        for level in ladder or (None,):
            own = {**values, "structure": structure, "sparsity": level, "name": None}
            name = build(PruneConfig, {**own, "base": start}).variant
            if any(config.variant == name for config in configs):
                raise UsageError(
                    f"--sparsity {level}: there is a variant '{name}' in this ladder already: leave it out"
                )
            if (
                structure == "unit" and level is not None
            ):  # units that are gone cannot be counted again
                own["sparsity"], removed = round(1 - (1 - level) / (1 - removed), 6), level
            config = build(PruneConfig, {**own, "base": configs[-1].variant if configs else start})
            configs.append(
                config if config.variant == name else dataclasses.replace(config, name=name)
            )
    return _named(configs, values.get("name"))


def _offline(values: Mapping[str, Any], wanted: list[tuple[str, Sequence[float]]]) -> PruneConfig:
    """The configuration of the offline control."""
    trained = [option for key, option in _TRAINED_ONLY.items() if key in values]
    trained += ["--then"] if len(wanted) > 1 else []
    trained += ["a ladder of --sparsity"] if len(wanted[0][1]) > 1 else []
    if trained:
        raise UsageError(
            f"{trained[0]} goes with training: --offline prunes once, to one --sparsity, without it"
        )
    return build(PruneConfig, {**values, "sparsity": next(iter(wanted[0][1]), None)})


def _named(configs: list[PruneConfig], name: str | None) -> list[PruneConfig]:
    """The last one called ``name``, if that is given, and those before it ``name`` with their number."""
    if name is None:
        return configs
    names = [*(f"{name}-{number}" for number in range(1, len(configs))), name]
    bases = [configs[0].base, *names]
    return [
        build(PruneConfig, {**to_mapping(config), "name": own, "base": base})
        for config, own, base in zip(configs, names, bases, strict=False)
    ]
