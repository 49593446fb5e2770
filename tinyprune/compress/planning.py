"""The plan of a pruning: which kernels, in which groups, how sparse, and what is left alone and why."""

from dataclasses import replace
from fnmatch import fnmatchcase

import keras
import numpy as np

from tinyprune.artifacts.plan import LayerPlan, PruningPlan
from tinyprune.compress.coupling import coupling
from tinyprune.compress.layer_kinds import kernels, kind, layout
from tinyprune.compress.prepare import check
from tinyprune.config import LayerRule, PruneConfig
from tinyprune.errors import UsageError
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.layout import canonical_shape
from tinyprune.sparsity.structure import Structure, parse


def plan(model: keras.Model, config: PruneConfig) -> PruningPlan:
    """The plan of one pruning of a canonical model: every kernel of every layer that has one.

    Kernels that a structure does not fit, layers that have weights but no kernel, and excluded
    layers are skipped, with the reason. Raises UsageError for names that do not exist, patterns
    that fit nothing, layers that int8 does not have, or if nothing is to be pruned.
    """
    SCHEDULES.check(config.schedule)
    IMPORTANCES.check(config.importance)
    _check_patterns(model, config)
    for rule in [LayerRule("*"), *config.layers]:
        _structure(rule, config)
    layers, skipped = [], {}
    for layer in model.layers:
        check(layer)
        if kind(layer) is None:
            if layer.weights:
                skipped[layer.name] = (
                    f"{type(layer).__name__} layers cannot be pruned: left as they are"
                )
            continue
        for name in kernels(layer):
            try:
                layers.append(_layer_plan(layer, name, config))
            except UsageError as reason:
                skipped[f"{layer.name}/{name}"] = str(reason)
    layers, fixed = _only_removable(model, layers)
    if not layers:
        raise UsageError(_nothing(model, skipped | fixed))
    return PruningPlan(
        layers=tuple(layers),
        skipped=skipped | fixed,
        scope=config.scope,
        schedule=config.schedule,
        sparsity=config.final_sparsity,
        importance=config.importance,
        begin=config.begin,
        end=config.end,
        update_every=config.update_every,
        round_to=config.round_to,
    )


def _layer_plan(layer: keras.Layer, name: str, config: PruneConfig) -> LayerPlan:
    """The plan of one kernel. Raises UsageError with the reason why it is not pruned."""
    rule = _rule(layer.name, name, config)
    if rule.skip:
        raise UsageError("excluded")
    shape = tuple(kernels(layer)[name].shape)
    structure = _structure(rule, config)
    sparsity = structure.fixed_sparsity
    if sparsity is None:
        sparsity = config.final_sparsity if rule.sparsity is None else rule.sparsity
    standard = canonical_shape(shape, layout(layer))
    groups = int(structure.groups(standard).max()) + 1
    note = _note(structure, standard)
    return LayerPlan(
        layer.name,
        name,
        shape,
        structure.label,
        config.method,
        groups,
        sparsity,
        layout(layer).value,
        note=note,
    )


def _structure(rule: LayerRule, config: PruneConfig) -> Structure:
    """The structure under a rule. Raises UsageError for one that does not exist."""
    return parse(rule.structure or config.structure, rule.block_size or config.block_size)


def _note(structure: Structure, shape: tuple[int, ...]) -> str:
    """What a person should know about how the structure fits; raises UsageError if it removes nothing."""
    if structure.n is None or structure.m is None:
        return ""
    inputs, rest = shape[-2], shape[-2] % structure.m
    if inputs <= structure.n:
        raise UsageError(
            f"{inputs} input{'s' if inputs > 1 else ''}: no run of {structure.m} to choose {structure.n} of"
        )
    return f"last run of {rest} inputs padded to {structure.m}" if rest else ""


def _rule(layer: str, kernel: str, config: PruneConfig) -> LayerRule:
    rules = [*(LayerRule(match, skip=True) for match in config.exclude), *config.layers]
    return next((rule for rule in rules if _fits(rule.match, layer, kernel)), LayerRule("*"))


def _fits(pattern: str, layer: str, kernel: str) -> bool:
    return fnmatchcase(layer, pattern) or fnmatchcase(f"{layer}/{kernel}", pattern)


def _check_patterns(model: keras.Model, config: PruneConfig) -> None:
    """Nobody excludes less than they think."""
    names = [
        (layer.name, name)
        for layer in model.layers
        if kind(layer) is not None
        for name in kernels(layer)
    ]
    for pattern in [*config.exclude, *(rule.match for rule in config.layers)]:
        if not any(_fits(pattern, *pair) for pair in names):
            known = ", ".join(f"{layer}/{name}" for layer, name in names)
            raise UsageError(f"no kernel is called '{pattern}': the network has {known}")


def _only_removable(
    model: keras.Model, layers: list[LayerPlan]
) -> tuple[list[LayerPlan], dict[str, str]]:
    """The plans of units count what is coupled: kernels whose outputs cannot be removed have none."""
    if not any(item.structure == "unit" for item in layers):
        return layers, {}
    outputs = coupling(model).outputs
    kept: list[LayerPlan] = []
    fixed: dict[str, str] = {}
    for item in layers:
        units = (
            len(np.unique(outputs[item.key][outputs[item.key] >= 0]))
            if item.structure == "unit"
            else 0
        )
        if item.structure != "unit":
            kept.append(item)
        elif units:
            kept.append(replace(item, groups=units))
        else:
            fixed[item.key] = (
                "its outputs are outputs of the network, or feed something that needs all of them"
            )
    return kept, fixed


def _nothing(model: keras.Model, skipped: dict[str, str]) -> str:
    why = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:2])
    return f"model '{model.name}' has nothing to prune ({why or 'no Dense, convolution or LSTM layers'})"
