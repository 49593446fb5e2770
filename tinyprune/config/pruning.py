"""Prunings: one configuration per way to prune, with its settings, and the targets of budgets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from tinyprune.artifacts.resources import LOWER_AUTO, LOWERINGS, OPTIMISATIONS, PERFORMANCE
from tinyprune.config.budget import BudgetConfig
from tinyprune.config.family import Family, Member, fields_of
from tinyprune.config.settings import (
    COUNT,
    POSITIVE,
    SEED,
    SPARSITY,
    Complaint,
    Config,
    NameRule,
    Option,
    Rule,
    SizeRule,
    one_of,
    quick_epochs,
    setting,
)
from tinyprune.pretrained import NAME as PRETRAINED
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.storage.recorded import BASELINE
from tinyprune.units import parse_bytes

MAGNITUDE, DIFFERENTIABLE = "magnitude", "differentiable"
LOW_RANK = "low-rank"
FUSED, EXPLICIT, MERGED, AUTO = "fused", "explicit", "merged", "auto"
CELLS = (AUTO, FUSED, EXPLICIT, MERGED)
SCOPES = ("global", "layer")
SIZE = SizeRule()
DEFAULT_SPARSITY = 0.8
DEFAULT_IMPORTANCE = "lamp"
#: In a training, which shows gradients: what won there (docs/benchmarks.md).
DEFAULT_IN_TRAINING = "taylor"
_RANKED_BY_GRADIENTS = ("weight", "block", "unit")
DEFAULT_FLOOR = 0.25
LEAST_LEARNED_VALUES = 3
#: The floor of records that were written before there was one.
NO_FLOOR = 0.0
#: The importance in records of prunings that rank nothing.
UNRANKED = "l1"

_NEEDS_NPU = "of an accelerator: give --npu NAME (in a recipe: target)"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")  # of a variant, which is that of a folder
_TAKEN_NAMES = (BASELINE, PRETRAINED)
_N_OF_M = re.compile(r"(\d+):(0*[1-9]\d*)")
#: How far a sparsity may be from that of n:m to say the same, e.g. 0.67 and 1:3.
SAME_SPARSITY = 0.005
_NO_SCHEDULE = "gates close as the training finds out what the budget needs, not on a schedule"
#: Limits that no removal of units can keep -> the reason.
_NO_LIMIT_OF_UNITS = {
    "max_cpu_ops": "removing units takes no operator away from the CPU: leave it to [budget]"
}
#: Limits that only an accelerator gives a meaning -> the reason.
_NO_LIMIT_WITHOUT_TARGET = {
    "max_cycles": f"cycles are those {_NEEDS_NPU}",
    "max_latency": f"the time is that {_NEEDS_NPU}",
}
#: Settings that change how masks are found.
_OF_MASKS = ("block_size", "importance", "floor", "schedule", "begin", "end", "update_every")
_MOMENT = Rule(
    lambda value: value >= 0,
    "a fraction of the training up to 1, or a number of optimizer steps",
)


def sparsity_of_pattern(structure: str) -> float | None:
    """Return ``1 - n / m`` of a structure "n:m"; None for all others.

    A structure that does not exist is refused where it is parsed.
    """
    numbers = _N_OF_M.fullmatch(structure)
    if numbers is None:
        return None
    return 1 - int(numbers[1]) / int(numbers[2])


@dataclass(frozen=True)
class TargetConfig(Config):
    """A target to compile for; None: the default of the accelerator (npu/targets/*.toml)."""

    npu: str = setting(
        "ethos-u55-128",
        "Accelerator or own target, see `tinyprune list npus`.",
        option=Option("--npu", "texts", "NAME"),
    )
    system_config: str | None = setting(
        None,
        "System configuration of the target: its clock and memories.",
        option=Option("--system-config", metavar="NAME"),
    )
    memory_mode: str | None = setting(
        None,
        "Memory mode of the target: the memories that weights and feature maps live in.",
        option=Option("--memory-mode", "texts", "NAME"),
    )
    vela_config: str | None = setting(
        None,
        "File with system configurations and memory modes of your own, in Vela's format.",
        option=Option("--vela-config", "file", "FILE.ini"),
        is_place=True,
    )
    lower: str = setting(
        LOWER_AUTO,
        "Whether kernels with blocks of zeros become smaller operators: auto, where that takes "
        f"fewer cycles, or never.  [default: {LOWER_AUTO}]",
        option=Option("--lower", metavar="WHEN"),
        rule=one_of(LOWERINGS),
    )
    optimise: str = setting(
        PERFORMANCE,
        "What Vela prefers: performance, or size, which is less SRAM and maybe more cycles.",
        option=Option("--optimise", "texts", "WHAT"),
        rule=one_of(OPTIMISATIONS),
    )
    arena_limit: str | None = setting(
        None,
        "SRAM that Vela tries not to exceed when it prefers performance, e.g. 64KiB.  [default: "
        "what the memory mode allows]",
        option=Option("--arena-limit", metavar="SIZE"),
        rule=SIZE,
        is_text_of_number=True,
    )
    verify: int | None = setting(
        None,
        "Inferences on dev that go through the compiled network and the reference, whose bytes are "
        "compared.",
        rule=COUNT,
    )

    @property
    def arena_bytes(self) -> int | None:
        """The limit of SRAM in bytes. Raises UsageError for a text that is no size above 0."""
        SIZE.check(self.arena_limit, "arena_limit")
        return None if self.arena_limit is None else parse_bytes(self.arena_limit)


@dataclass(frozen=True)
class LayerRule(Config):
    """A rule for some layers of a pruning.

    Of several rules, the first whose pattern matches counts.

    Attributes:
        match: pattern of kernel or layer names, e.g. "lstm_1/kernel" or "block_*".
        structure, block_size, sparsity: as of the pruning, whose values hold where these are None.
        skip: leave these layers dense.
    """

    match: str
    structure: str | None = None
    block_size: str | None = None
    sparsity: float | None = setting(None, "Final fraction of zeros.", rule=SPARSITY)
    skip: bool = False

    def settings_of_groups(self) -> list[str]:
        """Return the names of the settings that the rule has in place of the pruning's."""
        names = ("structure", "block_size", "sparsity")
        return [name for name in names if getattr(self, name) is not None]


@dataclass(frozen=True)
class PruneConfig(Member):
    """The settings that all prunings have in common."""

    method: ClassVar[str] = MAGNITUDE

    base: str = setting(
        BASELINE,
        "Variant that the pruning starts from.",
        option=Option("--from", metavar="VARIANT"),
    )
    name: str | None = setting(
        None,
        "Name of the new variant.  [default: STRUCTURE-SPARSITY, or METHOD-BUDGET]",
        option=Option("--name", metavar="NAME"),
    )

    @property
    def final_sparsity(self) -> float:
        """The fraction of zeros at the end; 0 where something else than a sparsity decides."""
        return 0.0

    @property
    def label(self) -> str:
        """The pruning itself, as a part of a name."""
        raise NotImplementedError

    def default_record(self) -> dict[str, Any]:
        """Return the record that one without a key is completed with: of times before it."""
        return {**super().default_record(), "floor": NO_FLOOR, "cell": FUSED}

    def settled(self, begun: Mapping[str, Any] | None) -> Self:
        """Return the pruning with what is not set filled in.

        Args:
            begun: the recorded configuration of its variant, if it was begun before: what is not
                set is as it is there, also where the defaults were others then.
        """
        del begun
        return self

    @property
    def variant(self) -> str:
        """Name of the variant: its own, or what is done to the base, after the base's name."""
        if self.name:
            return self.name
        start = "" if self.base == BASELINE else f"{self.base}-"
        return f"{start}{self.label}"

    def complaints(self) -> list[Complaint]:
        """Return that the name cannot be the name of a new variant."""
        name = self.name
        if name is None or (_NAME.fullmatch(name) and name not in _TAKEN_NAMES):
            return []
        rule = f"letters, digits, '.', '_' and '-', not '{BASELINE}' or '{PRETRAINED}'"
        return [("name", f"'{name}' cannot name a variant: {rule}")]


@dataclass(frozen=True)
class TrainedPruning(PruneConfig):
    """A pruning jointly with int8 learning."""

    exclude: tuple[str, ...] = setting(
        (),
        "Pattern of layers or kernels that stay dense, e.g. 'block_1_*'. May be repeated.",
        option=Option("--exclude", "texts", "PATTERN"),
    )
    layers: tuple[LayerRule, ...] = setting((), "Rules for some layers.")
    round_to: int = setting(
        8,
        "Number that the units left in a layer are a multiple of.",
        option=Option("--round-to", "count"),
        rule=COUNT,
    )
    epochs: int | None = setting(
        None,
        "Number of passes over the training data.  [default: as fits the task]",
        option=Option("--epochs", "count"),
        rule=COUNT,
    )
    quick: bool = setting(
        False,
        "Whether a fifth of the epochs is enough: a first look.",
        option=Option("--quick", "switch"),
    )
    learning_rate: float | None = setting(
        None,
        "Learning rate of Adam at its peak.  [default: as fits the task]",
        option=Option("--learning-rate", "positive"),
        rule=POSITIVE,
    )
    distill: bool = setting(
        True,
        "Whether the float32 baseline teaches too.  [default: distill]",
        option=Option("--distill/--no-distill", "switch"),
    )
    target: TargetConfig | None = setting(
        None,
        "Accelerator that forms of layers are chosen for; of a budget, the one whose costs are "
        "limited, as Vela counts them.",
    )
    cell: str | None = setting(
        None,
        "Form of LSTM layers in the .tflite: fused (one operator), explicit (several, learned with "
        "one scale per kernel), merged (explicit, one product and one scale for both kernels where "
        "that costs little precision) or auto, the one that takes fewer cycles for each layer.  "
        f"[default: {AUTO}]",
        option=Option("--cell", metavar="FORM"),
        rule=one_of(CELLS),
    )
    seed: int = setting(
        0, "Seed of the order of the data.", option=Option("--seed", "seed"), rule=SEED
    )

    @property
    def grouping(self) -> "MagnitudePruning":
        """The pruning by magnitude that has the same groups, and that a plan is made of."""
        raise NotImplementedError

    def with_epochs(self, default: int) -> Self:
        """Return the pruning with its number of epochs, a fifth of it where it is a quick one."""
        if not self.quick:
            return self
        return replace(self, epochs=quick_epochs(self.epochs or default), quick=False)

    def settled(self, begun: Mapping[str, Any] | None) -> Self:
        """Return the pruning with the form of its cells filled in."""
        settled = super().settled(begun)
        if self.cell is not None:
            return settled
        return replace(settled, cell=AUTO if begun is None else begun.get("cell", FUSED))


@dataclass(frozen=True)
class RankedPruning(PruneConfig):
    """A pruning that ranks groups of weights and drops those that are worth least."""

    structure: str = setting(
        "weight",
        "Structure: the weights that share one fate. One of weight, block, unit, n:m as in 2:4, or "
        "low-rank, which makes two thin layers of one.",
        option=Option("--structure", metavar="NAME"),
    )
    block_size: str | None = setting(
        None,
        "Size of a block, inputs x outputs, of recurrent layers x units; e.g. 16x16.  [default: "
        "32x64, for Ethos-U65 and U85 64x128, smaller for small kernels; offline 16x16]",
        option=Option("--block-size", metavar="RxC"),
        instead=f"{DIFFERENTIABLE} removes whole units",
    )
    sparsity: float | None = setting(
        None,
        "Final fraction of zeros, e.g. 0.8. Several make a ladder, with a variant per level. "
        f" [default: {DEFAULT_SPARSITY}]",
        option=Option("--sparsity", "ladder"),
        rule=SPARSITY,
        instead="the budget says how much goes",
    )
    importance: str | None = setting(
        None,
        "Importance: what a group is ranked by, see `tinyprune list importances`. "
        f" [default: {DEFAULT_IN_TRAINING}; of n:m, and offline, {DEFAULT_IMPORTANCE}]",
        option=Option("--importance", metavar="NAME"),
        rule=NameRule(IMPORTANCES),
        instead="the gates learn what a unit is worth",
    )
    floor: float | None = setting(
        None,
        "Share of the final density that every kernel keeps at least, whatever its rank; 0: none. "
        f" [default: {DEFAULT_FLOOR}]",
        option=Option("--floor", "share"),
        rule=Rule(lambda value: 0 <= value <= 1, "a share from 0 to 1, e.g. 0.25"),
        instead="the gates of a set close together",
    )
    scope: str = setting(
        "global",
        "Scope of a ranking: global (all kernels together) or layer (each kernel on its own).",
        option=Option("--scope", metavar="NAME"),
        rule=one_of(SCOPES),
        instead="the budget is that of the whole network",
    )

    clusters: int | None = setting(
        None,
        "The most int8 values that are left in a kernel, zero among them, e.g. 16: learned along, "
        "or with --offline found in the finished file.",
        option=Option("--clusters", "number"),
        rule=Rule(lambda value: 2 <= value <= 255, "2 to 255 values, e.g. 16"),
        instead="cluster its result: --from it, with --sparsity 0 or more",
    )

    def __post_init__(self) -> None:
        _default_structure(self)
        own = sparsity_of_pattern(self.structure)
        if own is None or self.sparsity is None:
            return
        if abs(self.sparsity - own) <= SAME_SPARSITY:  # it says the same thing twice
            object.__setattr__(self, "sparsity", None)

    @property
    def settled_importance(self) -> str:
        """The importance that is set, or the default."""
        return self.importance or DEFAULT_IMPORTANCE

    @property
    def settled_floor(self) -> float:
        """The floor that is set, or the default."""
        return DEFAULT_FLOOR if self.floor is None else self.floor

    def settled(self, begun: Mapping[str, Any] | None) -> Self:
        """Return the pruning with importance and floor filled in, and blocks that were recorded."""
        settled = super().settled(begun)
        importance = self.settled_importance
        floor = self.settled_floor
        if begun is not None and self.importance is None:
            importance = begun["importance"]
        if begun is not None and self.floor is None:
            floor = begun.get("floor", NO_FLOOR)
        block_size = self.block_size
        if begun is not None and block_size is None:
            block_size = begun.get("block_size")
        return replace(settled, importance=importance, floor=floor, block_size=block_size)

    @property
    def has_fixed_sparsity(self) -> bool:
        """True for a structure "n:m", whose sparsity is ``1 - n / m``."""
        return ":" in self.structure

    @property
    def own_sparsity(self) -> float | None:
        """``1 - n / m`` of the structure "n:m", else the sparsity that is set."""
        own = sparsity_of_pattern(self.structure)
        return self.sparsity if own is None else own

    @property
    def default_sparsity(self) -> float:
        """The sparsity where there is no other."""
        return DEFAULT_SPARSITY

    @property
    def final_sparsity(self) -> float:
        """The fraction of zeros at the end: that of n:m, or the one that is set, or the default."""
        sparsity = self.own_sparsity
        return self.default_sparsity if sparsity is None else sparsity

    @property
    def label(self) -> str:
        """``structure-sparsity`` with two digits; n:m without its sparsity."""
        if self.has_fixed_sparsity:
            return self.structure.replace(":", "-")
        parts = [self.structure]
        if self.structure == "block" and self.block_size is not None:
            parts.append(self.block_size)
        parts.append(f"{self.final_sparsity:.2f}")
        return "-".join(parts)

    def complaints(self) -> list[Complaint]:
        """Return a sparsity that is not that of n:m, and what is wrong otherwise."""
        complaints = super().complaints()
        own = sparsity_of_pattern(self.structure)
        if own is not None and self.sparsity is not None:
            sets = f"{self.structure} sets it to {own:g}, got {self.sparsity:g}"
            complaints.append(("sparsity", f"{sets}: leave it out, or try structure weight"))
        return complaints


@dataclass(frozen=True)
class MagnitudePruning(RankedPruning, TrainedPruning):
    """A pruning by rank, on a schedule of optimizer steps."""

    schedule: str = setting(
        "polynomial",
        "Schedule on which sparsity grows, see `tinyprune list schedules`.",
        option=Option("--schedule", metavar="NAME"),
        rule=NameRule(SCHEDULES),
        instead=_NO_SCHEDULE,
    )
    begin: float = setting(
        0.0,
        "Begin of the schedule: a fraction of the training up to 1, else an optimizer step.",
        option=Option("--begin", "moment"),
        rule=_MOMENT,
        instead=_NO_SCHEDULE,
    )
    end: float = setting(
        0.5,
        "End of the schedule: a fraction of the training up to 1, else an optimizer step.",
        option=Option("--end", "moment"),
        rule=_MOMENT,
        instead=_NO_SCHEDULE,
    )
    levels: tuple[float, ...] = setting(
        (),
        "Sparsities that one training learns at once, its own among them; empty: only its own.",
    )
    trained_in: str | None = setting(
        None, "Variant whose training at once this one was a part of; unset: its own."
    )
    update_every: int | None = setting(
        None,
        "Number of optimizer steps between two updates of the masks.  [default: 50 updates in all]",
        rule=COUNT,
        instead=_NO_SCHEDULE,
    )

    @property
    def settled_importance(self) -> str:
        """The importance that is set, or the default of the structure."""
        if self.importance is None and self.structure in _RANKED_BY_GRADIENTS:
            return DEFAULT_IN_TRAINING
        return super().settled_importance

    @property
    def grouping(self) -> "MagnitudePruning":
        """The pruning itself."""
        return self

    @property
    def label(self) -> str:
        """``structure-sparsity``, with ``-joint-16-clusters`` and ``-at-once`` where it is so."""
        label = super().label
        if self.clusters is not None:
            label += f"-joint-{self.clusters}-clusters"
        if self.levels:
            label += "-at-once"
        return label

    def complaints(self) -> list[Complaint]:
        """Return a schedule that ends before it begins, and what is wrong otherwise."""
        complaints = super().complaints()
        if self.clusters is not None and self.clusters < LEAST_LEARNED_VALUES:
            values = "zero and one of each sign are the fewest that can be learned"
            complaints.append(("clusters", f"{values}: expected 3 or more, got {self.clusters}"))
        complaints += self._complaints_of_low_rank()
        complaints += self._complaints_of_levels()
        is_comparable = (self.begin <= 1) == (self.end <= 1)
        if is_comparable and self.begin > self.end:
            moments = f"at {self.end:g} before it begins at {self.begin:g}"
            complaints.append(("end", f"the schedule would end {moments}"))
        return complaints

    def _complaints_of_levels(self) -> list[Complaint]:
        """Return levels that are none, and what cannot be learned at several of them."""
        if not self.levels:
            return []
        complaints = []
        if self.structure == LOW_RANK or self.has_fixed_sparsity:
            why = f"{self.structure} has no levels that share weights: try weight, block or unit"
            complaints.append(("levels", why))
        if not self._is_of_ladder():
            why = "expected at least two sparsities that grow, its own among them, e.g. [0.25, 0.5]"
            complaints.append(("levels", why))
        if any(rule.sparsity is not None for rule in self.layers):
            why = "a layer with a sparsity of its own would not follow the levels: leave it out"
            complaints.append(("layers", why))
        return complaints

    def _is_of_ladder(self) -> bool:
        """Return whether the levels are several fractions that grow, its own among them."""
        levels = [*self.levels]
        if self.final_sparsity not in levels[:-1] + levels[1:]:
            return False  # of a single level too
        return levels == sorted(set(levels)) and levels[0] >= 0 and levels[-1] < 1

    def _complaints_of_low_rank(self) -> list[Complaint]:
        """Return settings of masks where layers become two and nothing is masked."""
        structures = {rule.structure or self.structure for rule in self.layers}
        if self.structure != LOW_RANK or structures - {LOW_RANK}:
            return []
        complaints = []
        fields = fields_of(MagnitudePruning)
        for name in _OF_MASKS:
            if getattr(self, name) != fields[name].default:
                why = f"{LOW_RANK} makes two layers of one and masks nothing: leave it out"
                complaints.append((name, why))
        return complaints


@dataclass(frozen=True)
class BudgetPruning(TrainedPruning):
    """A differentiable pruning: gates that learn which units go until a budget is kept."""

    method: ClassVar[str] = DIFFERENTIABLE
    #: In records, which are those of the whole family.
    importance: ClassVar[str] = UNRANKED
    floor: ClassVar[float] = NO_FLOOR

    structure: str = "unit"
    budget: BudgetConfig = setting(BudgetConfig(), "What the result may cost.")

    def __post_init__(self) -> None:
        _default_structure(self)

    @property
    def label(self) -> str:
        """``differentiable-`` and the budget."""
        return f"{self.method}-{self.budget.label}"

    @property
    def grouping(self) -> MagnitudePruning:
        """Whole units, none of which is masked on a schedule."""
        return MagnitudePruning(
            structure=self.structure,
            sparsity=0.0,
            importance=UNRANKED,
            floor=NO_FLOOR,
            exclude=self.exclude,
            layers=self.layers,
            round_to=self.round_to,
        )

    def complaints(self) -> list[Complaint]:
        """Return structures that are no whole units, an impossible budget, and other complaints."""
        complaints = super().complaints()
        if self.structure != "unit":
            units = f"{DIFFERENTIABLE} removes whole units, got {self.structure}"
            complaints.append(("structure", f"{units}: leave it out"))
        for index, rule in enumerate(self.layers):
            for name in rule.settings_of_groups():
                units = f"{DIFFERENTIABLE} takes a layer as the others or not"
                complaints.append((f"layers.{index}.{name}", f"{units}: try skip = true"))
        return complaints + self._complaints_of_budget()

    def _complaints_of_budget(self) -> list[Complaint]:
        """Return a budget that is empty, or that removing units cannot keep."""
        if self.budget == BudgetConfig():
            flags = (
                "--max-flash, --max-sram or --max-macs, with --npu also --max-cycles or "
                "--max-latency"
            )
            limits = f"give {flags} (in a recipe: max_flash, ...; target)"
            return [("budget", f"{DIFFERENTIABLE} prunes until one is met: {limits}")]

        reasons = dict(_NO_LIMIT_OF_UNITS)
        if self.target is None:
            reasons.update(_NO_LIMIT_WITHOUT_TARGET)
        complaints = []
        for name, why in reasons.items():
            if getattr(self.budget, name) is not None:
                complaints.append((f"budget.{name}", why))
        return complaints


@dataclass(frozen=True)
class OfflinePruning(RankedPruning):
    """The offline control: a finished int8 graph, pruned as it is, without training."""

    seed: int = setting(0, "Seed of the run, which is recorded: nothing is drawn.", rule=SEED)

    @property
    def has_zeros(self) -> bool:
        """True where zeros are part of it: they are not where there are clusters only."""
        return self.final_sparsity > 0 or not self.clusters

    @property
    def default_sparsity(self) -> float:
        """The sparsity where there is no other; 0 where there are clusters."""
        return 0.0 if self.clusters else DEFAULT_SPARSITY

    @property
    def label(self) -> str:
        """``structure-sparsity``, or ``16-clusters``, or both."""
        parts = []
        if self.has_zeros:
            parts.append(super().label)
        if self.clusters:
            parts.append(f"{self.clusters}-clusters")
        return "-".join(parts)

    def complaints(self) -> list[Complaint]:
        """Return a structure that has to be learned, and what is wrong otherwise."""
        complaints = super().complaints()
        if self.structure == LOW_RANK:
            why = "makes two layers of one, which have to be learned: leave --offline out"
            complaints.append(("structure", f"{LOW_RANK} {why}"))
        return complaints

    def of(self, source: str) -> "OfflinePruning":
        """Return the pruning of the graphs of a variant.

        It is called e.g. "offline-weight-0.80"; "weight-0.80-16-clusters" where there are clusters
        only.
        """
        based = replace(self, base=source)
        if self.name:
            return based
        prefix = "offline-" if self.has_zeros else ""
        return replace(based, name=f"{prefix}{based.variant}")


def _default_structure(config: RankedPruning | BudgetPruning) -> None:
    """Give a pruning whose structure is empty the default of its kind."""
    if not config.structure:
        object.__setattr__(config, "structure", type(config).structure)


def _refusal(member: type[PruneConfig], name: str) -> str:
    """Return what is said of a setting that a way to prune does not have."""
    [owner, *_] = PruneConfig.family.owners(name)
    if owner is BudgetPruning:
        return (
            f'it goes with method = "{DIFFERENTIABLE}": add that, or leave it out and give a '
            "sparsity"
        )
    if member is OfflinePruning:
        return "goes with training, which an offline pruning has none of: leave it out"
    return f"{PruneConfig.family.fields[name].metadata['setting'].instead}: leave it out"


PruneConfig.family = Family("method", (MagnitudePruning, BudgetPruning, OfflinePruning), _refusal)
