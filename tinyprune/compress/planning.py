"""The plan of a pruning: structure and final sparsity of each kernel, and reasons to skip one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import keras

from tinyprune.compress import graph
from tinyprune.compress.coupling import coupling
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.lookup import kernel_kind, layout, require_kernel_kind
from tinyprune.compress.prepare import check
from tinyprune.config import LayerRule, MagnitudePruning, TrainedPruning
from tinyprune.errors import UsageError
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.block import DEFAULT_BLOCK, Block
from tinyprune.sparsity.layout import canonical_shape
from tinyprune.sparsity.plan import FactorPlan, LayerPlan, PruningPlan
from tinyprune.sparsity.structure import Structure, parse

#: (canonical model, plans of kernels that are to be two) -> the kernels that become two, and key ->
#: why the others stay whole.
ChooseRanks = Callable[
    [keras.Model, Sequence[LayerPlan]], tuple[tuple[FactorPlan, ...], dict[str, str]]
]

_EVERYTHING = LayerRule("*")
_EXCLUDED = "excluded"
_FIXED = "its outputs are outputs of the network, or feed something that needs all of them"


def plan(
    model: keras.Model,
    pruning: TrainedPruning,
    block: str = DEFAULT_BLOCK,
    choose_ranks: ChooseRanks | None = None,
) -> PruningPlan:
    """Return the plan of one pruning of a canonical model.

    Args:
        model: the model.
        pruning: its configuration.
        block: size of blocks where none is set; kernels that are too small have smaller ones.
        choose_ranks: decides which layers become two, for the structure "low-rank".

    It has every kernel of every layer that has one. Kernels that a structure does not fit, layers
    that have weights but no kernel, and excluded layers are skipped, with the reason.

    Raises UsageError for names that do not exist, patterns that fit nothing, layers that int8 does
    not have, or if nothing is to be pruned.
    """
    config = pruning.grouping
    SCHEDULES.check(config.schedule)
    IMPORTANCES.check(config.settled_importance)
    _check_patterns(model, config)
    _check_structures(config)

    layers: list[LayerPlan] = []
    skipped: dict[str, str] = {}
    last = graph.last_of(model, _has_kernels)
    for layer in model.layers:
        check(layer)
        kind = kernel_kind(layer)
        if kind is not None and kind.is_fixed:
            continue
        if kind is not None:
            _plan_kernels(layer, config, pruning.method, block, layers, skipped)
        elif layer.weights:
            name = type(layer).__name__
            skipped[layer.name] = f"{name} layers cannot be pruned: left as they are"
    layers = [replace(item, makes_outputs=item.layer in last) for item in layers]
    layers = _with_coupled_units(model, layers, skipped, config.round_to)
    layers, factors = _with_ranks(model, layers, skipped, choose_ranks)
    if not layers and not factors:
        raise UsageError(_nothing_to_prune(model, skipped))

    return PruningPlan(
        layers=tuple(layers),
        skipped=skipped,
        scope=config.scope,
        schedule=config.schedule,
        sparsity=config.final_sparsity,
        importance=config.settled_importance,
        begin=config.begin,
        end=config.end,
        update_every=config.update_every,
        round_to=config.round_to,
        floor=config.settled_floor,
        few_values=_few_values(model, config, skipped, factors),
        factors=factors,
    )


def _with_ranks(
    model: keras.Model,
    layers: list[LayerPlan],
    skipped: dict[str, str],
    choose_ranks: ChooseRanks | None,
) -> tuple[list[LayerPlan], tuple[FactorPlan, ...]]:
    """Return the plans of kernels that are masked, and those of kernels that become two.

    Kernels that stay whole are skipped.
    """
    to_be_two = [item for item in layers if item.structure.replaces_layers]
    if not to_be_two:
        return layers, ()
    if choose_ranks is None:
        raise UsageError(
            "structure 'low-rank' finds ranks by the data that layers read: use it with "
            "`tinyprune prune`, or take 'unit'"
        )
    factors, reasons = choose_ranks(model, to_be_two)
    skipped.update(reasons)
    return [item for item in layers if not item.structure.replaces_layers], factors


def _few_values(
    model: keras.Model,
    config: MagnitudePruning,
    skipped: dict[str, str],
    factors: Sequence[FactorPlan],
) -> dict[str, int]:
    """The number of values of every kernel that is clustered: all but those that are excluded."""
    if config.clusters is None:
        return {}
    keys = [key for key in _kernel_keys(model) if skipped.get(key) != _EXCLUDED]
    keys += [f"{item.first}/{item.kernel}" for item in factors]
    return dict.fromkeys(keys, config.clusters)


def _has_kernels(operation: object) -> bool:
    """Return whether an operation of a graph is a layer that has kernels."""
    return isinstance(operation, keras.Layer) and kernel_kind(operation) is not None


def _check_patterns(model: keras.Model, config: MagnitudePruning) -> None:
    """Raise UsageError for a pattern that fits no kernel: nobody excludes less than they think."""
    keys = _kernel_keys(model)
    rules = [rule.match for rule in config.layers]
    for pattern in [*config.exclude, *rules]:
        if not any(_matches(pattern, key) for key in keys):
            raise UsageError(f"no kernel is called '{pattern}': the network has {', '.join(keys)}")


def _kernel_keys(model: keras.Model) -> list[str]:
    """``layer/kernel`` of every kernel of a model."""
    keys: list[str] = []
    for layer in model.layers:
        kind = kernel_kind(layer)
        if kind is not None and not kind.is_fixed:
            keys += [f"{layer.name}/{kernel}" for kernel in kernels(layer)]
    return keys


def _check_structures(config: MagnitudePruning) -> None:
    """Raise UsageError for a structure that does not exist, even if no kernel has it."""
    for rule in [_EVERYTHING, *config.layers]:
        _structure(rule, config)


def _structure(rule: LayerRule, config: MagnitudePruning, block: str = DEFAULT_BLOCK) -> Structure:
    return parse(rule.structure or config.structure, rule.block_size or config.block_size or block)


def _plan_kernels(
    layer: keras.Layer,
    config: MagnitudePruning,
    method: str,
    block: str,
    layers: list[LayerPlan],
    skipped: dict[str, str],
) -> None:
    """Add the plan of each kernel of a layer, or the reason why there is none."""
    for kernel in kernels(layer):
        key = f"{layer.name}/{kernel}"
        rule = _first_match(key, config)
        if rule.skip:
            skipped[key] = _EXCLUDED
            continue
        try:
            layers.append(_kernel_plan(layer, kernel, rule, config, method, block))
        except UsageError as reason:
            skipped[key] = str(reason)


def _first_match(key: str, config: MagnitudePruning) -> LayerRule:
    """The rule of a kernel: of several that match, the first; exclusions come before all."""
    exclusions = [LayerRule(match, skip=True) for match in config.exclude]
    for rule in [*exclusions, *config.layers]:
        if _matches(rule.match, key):
            return rule
    return _EVERYTHING


def _matches(pattern: str, key: str) -> bool:
    """Return whether a pattern fits ``layer/kernel``, or the layer alone."""
    layer, _, _ = key.rpartition("/")
    return fnmatchcase(layer, pattern) or fnmatchcase(key, pattern)


def _kernel_plan(
    layer: keras.Layer,
    kernel: str,
    rule: LayerRule,
    config: MagnitudePruning,
    method: str,
    block: str,
) -> LayerPlan:
    """The plan of one kernel. Raises UsageError if the structure does not fit it."""
    shape = tuple(kernels(layer)[kernel].shape)
    standard_shape = canonical_shape(shape, layout(layer))
    gates = require_kernel_kind(layer).gates
    structure = _structure(rule, config, block)
    if structure.replaces_layers:
        _check_can_be_two(layer, kernel)
    if isinstance(structure, Block) and not (rule.block_size or config.block_size):
        structure = structure.fitting((*standard_shape[:-1], standard_shape[-1] // gates))
    planned = LayerPlan(
        layer=layer.name,
        kernel=kernel,
        shape=shape,
        structure=structure,
        method=method,
        groups=0,
        final_sparsity=_final_sparsity(structure, rule, config),
        layout=layout(layer),
        note=structure.note(standard_shape),
        gates=gates,
    )
    return replace(planned, groups=int(planned.groups_of_weights().max()) + 1)


def _check_can_be_two(layer: keras.Layer, kernel: str) -> None:
    """Raise UsageError for a kernel that cannot be the product of two."""
    reason = require_kernel_kind(layer).whole_because(layer, kernel)
    if reason:
        raise UsageError(reason)


def _final_sparsity(structure: Structure, rule: LayerRule, config: MagnitudePruning) -> float:
    """The sparsity that the structure has, else that of the rule, else that of the pruning."""
    if structure.fixed_sparsity is not None:
        return structure.fixed_sparsity
    if rule.sparsity is not None:
        return rule.sparsity
    return config.final_sparsity


def _with_coupled_units(
    model: keras.Model, layers: list[LayerPlan], skipped: dict[str, str], round_to: int
) -> list[LayerPlan]:
    """The plans with groups of units counted as they are coupled.

    A kernel whose outputs cannot be removed is skipped, and so is one that has no more units than
    what stays is rounded to.
    """
    if not any(item.structure.name == "unit" for item in layers):
        return layers
    coupled = coupling(model)
    outputs = coupled.outputs
    counted: list[LayerPlan] = []
    for item in layers:
        if item.structure.name != "unit":
            counted.append(item)
            continue
        units = {unit for unit in outputs[item.key].tolist() if unit >= 0}
        if not units:
            skipped[item.key] = _FIXED
        elif not coupled.can_shrink(units, round_to):
            skipped[item.key] = f"{len(units)} units stay in multiples of {round_to} (--round-to)"
        else:
            counted.append(replace(item, groups=len(units)))
    return counted


def _nothing_to_prune(model: keras.Model, skipped: dict[str, str]) -> str:
    of_kernels_first = sorted(skipped, key=lambda name: "/" not in name)
    reasons = [f"{name}: {skipped[name]}" for name in of_kernels_first]
    why = "; ".join(reasons[:2]) or "no Dense, convolution, LSTM or GRU layers"
    return f"model '{model.name}' has nothing to prune ({why})"
