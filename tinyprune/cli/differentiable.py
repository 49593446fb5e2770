"""A pruning to a budget on the command line: which options go with it, and its plan on stdout."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options, output
from tinyprune.config import METHODS, PruneConfig, to_mapping
from tinyprune.config.budget import LIMITS
from tinyprune.config.pruning import DIFFERENTIABLE, WITHOUT_USE, default_structure
from tinyprune.errors import UsageError

if TYPE_CHECKING:
    from tinyprune.sparsity.plan import PruningPlan

#: Flags that become tables of a pruning -> the option that sets each.
_TABLES = {
    name: f"--{name.replace('_', '-')}" for name in (*LIMITS, "system_config", "vela_config")
} | {
    "npus": "--npu",
    "memory_modes": "--memory-mode",
}

#: What the plan says of a kernel: how sparse it will be is not known yet.
_SHOWN = ("layer", "kernel", "shape", "structure", "method", "groups", "layout", "note")


def values(
    flags: Mapping[str, Any],
    sparsities: Sequence[Sequence[float]] = (),
    then: Sequence[str] = (),
    offline: bool = False,
) -> dict[str, Any]:
    """The values of PruneConfig that a command line gives, its budget and target as tables.

    Raises UsageError for a budget that no method asks for, and for what does not go with one.
    """
    given = {flag: value for flag, value in flags.items() if value not in (None, ())}
    found = {flag: value for flag, value in given.items() if flag not in _TABLES}
    method = found.get("method", PruneConfig.method)
    needing = next((option for flag, option in _TABLES.items() if flag in given), None)
    if method == DIFFERENTIABLE:
        _check(found, bool(sparsities), bool(then), offline)
    elif needing and method in METHODS:
        raise UsageError(
            f"{needing} goes with --method {DIFFERENTIABLE}: add that; without it nothing is held to it"
        )
    tables = {"budget": options.chosen_limits(flags), "target": options.chosen_target(flags)}
    return found | {name: table for name, table in tables.items() if table}


def _check(found: Mapping[str, Any], has_sparsity: bool, has_then: bool, is_offline: bool) -> None:
    """Raise UsageError for the first option that a differentiable pruning has no use for."""
    given = {**found, **({"sparsity": True} if has_sparsity else {})}
    reasons = {
        f"--{name.replace('_', '-')}": why for name, why in WITHOUT_USE.items() if name in given
    }
    if found.get("structure", default_structure(DIFFERENTIABLE)) != default_structure(
        DIFFERENTIABLE
    ):
        reasons[f"--structure {found['structure']}"] = f"{DIFFERENTIABLE} removes whole units"
    if has_then:
        reasons["--then"] = "one pruning meets the budget; prune its result again with --from"
    if is_offline:
        reasons["--offline"] = f"it prunes without training, which {DIFFERENTIABLE} is"
    for option, why in reasons.items():
        raise UsageError(f"{option} does not go with --method {DIFFERENTIABLE}: {why}")


def plan(record: "PruningPlan", config: PruneConfig, output_format: str) -> None:
    """Print one row per kernel whose units may go, then one per layer that stays, with the reason."""
    limits = {name: text for name, text in to_mapping(config.budget).items() if text is not None}
    if output_format == "json":
        layers = [{name: getattr(layer, name) for name in _SHOWN} for layer in record.layers]
        asked = {
            "method": config.method,
            "budget": limits,
            "target": config.target,
            "round_to": config.round_to,
        }
        output.as_json({**asked, "layers": layers, "skipped": record.skipped})
        return
    rows = [
        [
            layer.key,
            "x".join(map(str, layer.shape)),
            layer.structure.label,
            str(layer.groups),
            layer.note,
        ]
        for layer in record.layers
    ]
    rows += [[name, "", "", "", f"skipped: {reason}"] for name, reason in record.skipped.items()]
    output.rows(["kernel", "shape", "structure", "groups", "note"], rows, output_format)
    if output_format == "table":
        of = f" on {config.target.npu}" if config.target else ""
        held = ", ".join(f"--{name.replace('_', '-')} {text}" for name, text in limits.items())
        click.echo(
            f"\n{config.method}, {held}{of}:\nthe training finds out how many units of each kernel stay"
        )
