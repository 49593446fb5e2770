"""The plan of a pruning: the structure and the final sparsity of each kernel, and what is skipped."""

from dataclasses import replace
from fnmatch import fnmatchcase

import keras

from tinyprune.compress.coupling import coupling
from tinyprune.compress.layer_kinds import kernels, kind, layout
from tinyprune.compress.prepare import check
from tinyprune.config import LayerRule, MagnitudePruning, TrainedPruning
from tinyprune.errors import UsageError
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.layout import canonical_shape
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.structure import Structure, parse

_EVERYTHING = LayerRule("*")
_FIXED = "its outputs are outputs of the network, or feed something that needs all of them"


def plan(model: keras.Model, pruning: TrainedPruning) -> PruningPlan:
    """Return the plan of one pruning of a canonical model: every kernel of every layer that has one.

    Kernels that a structure does not fit, layers that have weights but no kernel, and excluded
    layers are skipped, with the reason. Raises UsageError for names that do not exist, patterns
    that fit nothing, layers that int8 does not have, or if nothing is to be pruned.
    """
    config = pruning.grouping
    SCHEDULES.check(config.schedule)
    IMPORTANCES.check(config.importance)
    _check_patterns(model, config)
    _check_structures(config)

    layers: list[LayerPlan] = []
    skipped: dict[str, str] = {}
    for layer in model.layers:
        check(layer)
        if kind(layer) is not None:
            _plan_kernels(layer, config, pruning.method, layers, skipped)
        elif layer.weights:
            name = type(layer).__name__
            skipped[layer.name] = f"{name} layers cannot be pruned: left as they are"
    layers = _with_coupled_units(model, layers, skipped)
    if not layers:
        raise UsageError(_nothing_to_prune(model, skipped))

    return PruningPlan(
        layers=tuple(layers),
        skipped=skipped,
        scope=config.scope,
        schedule=config.schedule,
        sparsity=config.final_sparsity,
        importance=config.importance,
        begin=config.begin,
        end=config.end,
        update_every=config.update_every,
        round_to=config.round_to,
    )


def _check_patterns(model: keras.Model, config: MagnitudePruning) -> None:
    """Raise UsageError for a pattern that fits no kernel: nobody excludes less than they think."""
    names = []
    for layer in model.layers:
        if kind(layer) is not None:
            names += [(layer.name, kernel) for kernel in kernels(layer)]
    patterns = [*config.exclude, *(rule.match for rule in config.layers)]
    for pattern in patterns:
        if not any(_matches(pattern, layer, kernel) for layer, kernel in names):
            known = ", ".join(f"{layer}/{kernel}" for layer, kernel in names)
            raise UsageError(f"no kernel is called '{pattern}': the network has {known}")


def _check_structures(config: MagnitudePruning) -> None:
    """Raise UsageError for a structure that does not exist, even if no kernel has it."""
    for rule in [_EVERYTHING, *config.layers]:
        _structure(rule, config)


def _structure(rule: LayerRule, config: MagnitudePruning) -> Structure:
    return parse(rule.structure or config.structure, rule.block_size or config.block_size)


def _plan_kernels(
    layer: keras.Layer,
    config: MagnitudePruning,
    method: str,
    layers: list[LayerPlan],
    skipped: dict[str, str],
) -> None:
    """Add the plan of each kernel of a layer, or the reason why there is none."""
    for kernel in kernels(layer):
        rule = _first_match(layer.name, kernel, config)
        if rule.skip:
            skipped[f"{layer.name}/{kernel}"] = "excluded"
            continue
        try:
            layers.append(_kernel_plan(layer, kernel, rule, config, method))
        except UsageError as reason:
            skipped[f"{layer.name}/{kernel}"] = str(reason)


def _first_match(layer: str, kernel: str, config: MagnitudePruning) -> LayerRule:
    """The rule of a kernel: of several that match, the first; exclusions come before all."""
    exclusions = [LayerRule(match, skip=True) for match in config.exclude]
    for rule in [*exclusions, *config.layers]:
        if _matches(rule.match, layer, kernel):
            return rule
    return _EVERYTHING


def _matches(pattern: str, layer: str, kernel: str) -> bool:
    return fnmatchcase(layer, pattern) or fnmatchcase(f"{layer}/{kernel}", pattern)


def _kernel_plan(
    layer: keras.Layer, kernel: str, rule: LayerRule, config: MagnitudePruning, method: str
) -> LayerPlan:
    """The plan of one kernel. Raises UsageError if the structure does not fit it."""
    shape = tuple(kernels(layer)[kernel].shape)
    standard_shape = canonical_shape(shape, layout(layer))
    structure = _structure(rule, config)
    groups = int(structure.groups(standard_shape).max()) + 1
    return LayerPlan(
        layer=layer.name,
        kernel=kernel,
        shape=shape,
        structure=structure,
        method=method,
        groups=groups,
        final_sparsity=_final_sparsity(structure, rule, config),
        layout=layout(layer),
        note=structure.note(standard_shape),
    )


def _final_sparsity(structure: Structure, rule: LayerRule, config: MagnitudePruning) -> float:
    """The sparsity that the structure has, else that of the rule, else that of the pruning."""
    if structure.fixed_sparsity is not None:
        return structure.fixed_sparsity
    if rule.sparsity is not None:
        return rule.sparsity
    return config.final_sparsity


def _with_coupled_units(
    model: keras.Model, layers: list[LayerPlan], skipped: dict[str, str]
) -> list[LayerPlan]:
    """The plans with groups of units counted as they are coupled.

    A kernel whose outputs cannot be removed is skipped.
    """
    if not any(item.structure.name == "unit" for item in layers):
        return layers
    outputs = coupling(model).outputs
    counted: list[LayerPlan] = []
    for item in layers:
        if item.structure.name != "unit":
            counted.append(item)
            continue
        units = {unit for unit in outputs[item.key].tolist() if unit >= 0}
        if units:
            counted.append(replace(item, groups=len(units)))
        else:
            skipped[item.key] = _FIXED
    return counted


def _nothing_to_prune(model: keras.Model, skipped: dict[str, str]) -> str:
    reasons = [f"{name}: {reason}" for name, reason in skipped.items()]
    why = "; ".join(reasons[:2]) or "no Dense, convolution or LSTM layers"
    return f"model '{model.name}' has nothing to prune ({why})"
