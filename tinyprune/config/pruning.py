"""One pruning: what goes, how it is chosen, and what the result may cost."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinyprune.config.budget import BudgetConfig
from tinyprune.pretrained import NAME as PRETRAINED
from tinyprune.storage.run_folder import BASELINE

METHODS = ("magnitude", "differentiable")
DIFFERENTIABLE = METHODS[1]
SCOPES = ("global", "layer")
DEFAULT_SPARSITY = 0.8

_NO_SCHEDULE = "gates close as the training finds out what the budget needs, not on a schedule"
#: Settings of PruneConfig that a differentiable pruning has no use for -> why.
WITHOUT_USE = {
    "sparsity": "the budget says how much goes",
    "block_size": "differentiable removes whole units",
    "importance": "the gates learn what a unit is worth",
    "scope": "the budget is that of the whole network",
    "schedule": _NO_SCHEDULE,
    "begin": _NO_SCHEDULE,
    "end": _NO_SCHEDULE,
    "update_every": _NO_SCHEDULE,
}
#: Limits that only an accelerator gives a meaning -> why.
_OF_A_TARGET = {
    "max_cycles": "cycles are those of an accelerator",
    "max_latency": "the time is that of an accelerator",
}


@dataclass(frozen=True)
class TargetConfig:
    """What to compile for; what is None is the accelerator's default (npu/targets/*.toml).

    Attributes:
        npu: accelerator or own target (npu/user_targets.py).
        system_config, memory_mode: as in NpuTarget.
        vela_config: a user's Vela configuration file.
    """

    npu: str = "ethos-u55-128"
    system_config: str | None = None
    memory_mode: str | None = None
    vela_config: str | None = None


@dataclass(frozen=True)
class LayerRule:
    """What is different for some layers of a pruning; of several rules, the first whose pattern fits counts.

    Attributes:
        match: pattern of kernel or layer names, e.g. "lstm_1/kernel" or "block_*".
        structure, block_size, sparsity: as in PruneConfig, whose values hold where these are None.
        skip: leave these layers dense.
    """

    match: str
    structure: str | None = None
    block_size: str | None = None
    sparsity: float | None = None
    skip: bool = False


@dataclass(frozen=True)
class PruneConfig:
    """One pruning, jointly with int8 learning.

    Attributes:
        name: of the variant; default ``structure-sparsity``, e.g. "weight-0.80", or
            ``differentiable-`` and the budget, after the name of its base.
        base: the variant that it starts from.
        method: "magnitude" (what is worth least goes, on a schedule) or "differentiable" (what a
            budget needs goes).
        structure: "weight", "block", "unit", or n:m such as "2:4"; empty: that of
            :func:`default_structure`.
        block_size: RxC, for "block".
        sparsity: final fraction of zeros, in [0, 1); n:m has its own.
        importance: registry.IMPORTANCES. scope: "global" or "layer".
        schedule: registry.SCHEDULES. begin, end: when it does, as a fraction of the training up to
            1, else in optimizer steps. update_every: steps between two updates of the masks; None:
            50 updates in all.
        round_to: removed units leave a multiple of this.
        exclude: patterns of kernel or layer names that stay dense. layers: what differs for some
            layers.
        epochs, learning_rate: as in training; None: what fits the task. distill: learn from the
            float baseline too.
        seed: of the order of the data.
        clusters: at most so many int8 values are left in a kernel, zero among them; None: all. Only
            without training (compress/offline.py), where it may stand alone: it has no sparsity of
            its own then.
        budget: what the result of "differentiable" may cost. target: whose flash, SRAM, cycles and
            time these are; None: those of the network itself (sparsity/resource_model.py).
    """

    name: str | None = None
    base: str = BASELINE
    method: str = METHODS[0]
    structure: str = ""
    block_size: str = "16x16"
    sparsity: float | None = None
    importance: str = "l1"
    scope: str = "global"
    schedule: str = "polynomial"
    begin: float = 0.0
    end: float = 0.5
    update_every: int | None = None
    round_to: int = 8
    exclude: tuple[str, ...] = ()
    layers: tuple[LayerRule, ...] = ()
    epochs: int | None = None
    learning_rate: float | None = None
    distill: bool = True
    seed: int = 0
    clusters: int | None = None
    budget: BudgetConfig = BudgetConfig()
    target: TargetConfig | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "structure", self.structure or default_structure(self.method))

    @property
    def is_differentiable(self) -> bool:
        """Whether a budget says how much goes."""
        return self.method == DIFFERENTIABLE

    @property
    def final_sparsity(self) -> float:
        """The sparsity that is given, or that n:m has, or 0.8; 0 where a budget or clusters do it."""
        if self.is_differentiable:
            return 0.0
        given = self.sparsity if ":" not in self.structure else _fraction(self.structure)
        if given is None:
            return 0.0 if self.clusters else DEFAULT_SPARSITY
        return given

    @property
    def has_zeros(self) -> bool:
        """Whether zeros are part of it: they are not where there are clusters only."""
        return self.final_sparsity > 0 or not self.clusters

    @property
    def variant(self) -> str:
        """Name of the variant: the given one, or what is done to the base, after the base's name."""
        start = "" if self.base == BASELINE else f"{self.base}-"
        own = (
            f"{self.method}-{self.budget.label}"
            if self.is_differentiable
            else self._structure_and_sparsity
        )
        return self.name or start + own

    @property
    def _structure_and_sparsity(self) -> str:
        """``structure-sparsity`` with two digits, or ``16-clusters``, or both."""
        zeros, few = (
            [self._zeros] if self.has_zeros else [],
            [f"{self.clusters}-clusters"] if self.clusters else [],
        )
        return "-".join(zeros + few)

    @property
    def _zeros(self) -> str:
        size = (
            f"-{self.block_size}"
            if self.structure == "block" and self.block_size != "16x16"
            else ""
        )
        own = f"{self.structure.replace(':', '-')}{size}"
        return own + ("" if ":" in self.structure else f"-{self.final_sparsity:.2f}")


def offline(config: PruneConfig, source: str) -> PruneConfig:
    """A pruning of the graphs of a variant as they are, without training.

    It is called e.g. "offline-weight-0.80"; "weight-0.80-16-clusters" where there are clusters
    only.
    """
    based = replace(config, base=source)
    return (
        based
        if config.name
        else replace(based, name=("offline-" if config.has_zeros else "") + based.variant)
    )


def default_structure(method: str) -> str:
    """The structure of a pruning that names none."""
    return "unit" if method == DIFFERENTIABLE else "weight"


def _fraction(n_of_m: str) -> float | None:
    """``1 - n / m`` of "n:m"; None if it is no such text, which is another check's to complain about."""
    numbers = re.fullmatch(r"(\d+):(\d+)", n_of_m)
    return 1 - int(numbers[1]) / int(numbers[2]) if numbers and int(numbers[2]) else None


def complaints(config: PruneConfig) -> Iterator[tuple[str, str]]:
    """What is wrong between the values of a pruning: (key, complaint) pairs."""
    yield from _of_differentiable(config) if config.is_differentiable else _of_magnitude(config)
    if (config.begin <= 1) == (config.end <= 1) and config.begin > config.end:
        yield (
            "end",
            f"the schedule would end at {config.end:g} before it begins at {config.begin:g}",
        )
    if config.epochs == 0:
        yield "epochs", "expected at least 1, got 0"
    taken = (BASELINE, PRETRAINED)
    if config.name is not None and (
        config.name in taken or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", config.name)
    ):
        rule = f"letters, digits, '.', '_' and '-', not '{BASELINE}' or '{PRETRAINED}'"
        yield "name", f"'{config.name}' cannot name a variant: {rule}"


def _of_magnitude(config: PruneConfig) -> Iterator[tuple[str, str]]:
    if ":" in config.structure and config.sparsity is not None:
        yield "sparsity", f"{config.structure} sets it: leave it out"
    for name, value, nothing in (
        ("budget", config.budget, BudgetConfig()),
        ("target", config.target, None),
    ):
        if value != nothing:
            yield (
                name,
                f'it goes with method = "{DIFFERENTIABLE}": add that, or leave it out and give a sparsity',
            )


def _of_differentiable(config: PruneConfig) -> Iterator[tuple[str, str]]:
    if config.structure != "unit":
        yield (
            "structure",
            f"{DIFFERENTIABLE} removes whole units, got {config.structure}: leave it out",
        )
    for name, why in WITHOUT_USE.items():
        if getattr(config, name) != getattr(PruneConfig, name):
            yield name, f"{why}: leave it out"
    for index, rule in enumerate(config.layers):
        for name in ("structure", "block_size", "sparsity"):
            if getattr(rule, name) is not None:
                yield (
                    f"layers.{index}.{name}",
                    f"{DIFFERENTIABLE} takes a layer as the others or not: try skip = true",
                )
    yield from _of_its_budget(config)


def _of_its_budget(config: PruneConfig) -> Iterator[tuple[str, str]]:
    budget = config.budget
    if budget == BudgetConfig():
        limits = "give --max-flash, --max-sram or --max-macs, with --npu also --max-cycles or --max-latency"
        yield (
            "budget",
            f"{DIFFERENTIABLE} prunes until one is met: {limits} (in a recipe: max_flash, ...; target)",
        )
    if budget.max_cpu_ops is not None:
        yield (
            "budget.max_cpu_ops",
            "removing units takes no operator away from the CPU: leave it to [budget]",
        )
    for name, why in _OF_A_TARGET.items():
        if config.target is None and getattr(budget, name) is not None:
            yield f"budget.{name}", f"{why}: give --npu NAME (in a recipe: target)"
