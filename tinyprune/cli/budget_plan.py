"""The plan of a pruning to a budget, on stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tinyprune.artifacts.quantity import LIMITED
from tinyprune.cli import output
from tinyprune.cli.settings import flag_of
from tinyprune.config import BudgetPruning, to_mapping
from tinyprune.config.family import fields_of

if TYPE_CHECKING:
    from tinyprune.artifacts.budget import BudgetLine
    from tinyprune.sparsity.plan import PruningPlan

#: The facts of a kernel that are shown: its sparsity is not known yet.
_SHOWN = ("layer", "kernel", "shape", "structure", "method", "groups", "layout", "note")
_HEADER = ("kernel", "shape", "structure", "groups", "note")


def show(
    record: "PruningPlan", config: BudgetPruning, costs: Sequence["BudgetLine"], output_format: str
) -> None:
    """Print a row per kernel whose units may go, then one per layer that stays, with the reason.

    ``costs``: what the network takes of each limit; empty where that is not known.
    """
    limits = {}
    for name, limit in to_mapping(config.budget).items():
        if limit is not None:
            limits[name] = limit
    if output_format == "json":
        _show_json(record, config, limits, costs)
        return
    output.rows(_HEADER, _rows(record), output_format)
    if output_format == "table":
        click.echo(f"\n{_goal(config, limits)}:")
        for line in costs:
            click.echo(_cost(line))
        click.echo(_outlook(costs))


def _rows(record: "PruningPlan") -> list[list[str]]:
    """Return a row per kernel, then one per layer that stays."""
    rows = []
    for layer in record.layers:
        shape = "x".join(map(str, layer.shape))
        rows.append([layer.key, shape, layer.structure.label, str(layer.groups), layer.note])
    for name, reason in record.skipped.items():
        rows.append([name, "", "", "", f"skipped: {reason}"])
    return rows


def _outlook(costs: Sequence["BudgetLine"]) -> str:
    """Return what a training would do."""
    if costs and all(line.before <= line.most for line in costs):
        return "the budget is kept already: nothing would be removed"
    return "the training finds out how many units of each kernel stay"


def _cost(line: "BudgetLine") -> str:
    """Return what the network takes of a limit now."""
    unit = LIMITED[line.name].unit
    return f"{line.name}: {unit.format(line.before)} now, {unit.format(line.most)} allowed"


def _show_json(
    record: "PruningPlan",
    config: BudgetPruning,
    limits: dict[str, object],
    costs: Sequence["BudgetLine"],
) -> None:
    """Print the plan as JSON."""
    layers = [{name: getattr(layer, name) for name in _SHOWN} for layer in record.layers]
    output.as_json(
        {
            "method": config.method,
            "budget": limits,
            "before": {line.name: line.before for line in costs},
            "target": config.target,
            "round_to": config.round_to,
            "layers": layers,
            "skipped": record.skipped,
        }
    )


def _goal(config: BudgetPruning, limits: dict[str, object]) -> str:
    """Return the limits as options, and the accelerator that they are those of."""
    fields = fields_of(type(config.budget))
    options = [f"{flag_of(fields[name])} {limit}" for name, limit in limits.items()]
    target = ""
    if config.target:
        target = f" on {config.target.npu}"
    return f"{config.method}, {', '.join(options)}{target}"
