"""The sensitivity of a network: what pruning one of its layers alone costs in quality."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SensitivityPoint:
    """One layer, pruned alone by one structure to one sparsity, without training.

    Attributes:
        layers: the layer; of units that several layers share, all of them.
        structure: label of the structure, e.g. "block 16x16".
        sparsity: fraction of its groups that is gone.
        value: of the metric on dev; None where it is not defined any more.
    """

    layers: tuple[str, ...]
    structure: str
    sparsity: float
    value: float | None = None

    @property
    def key(self) -> tuple[tuple[str, ...], str, float]:
        """The point without its value."""
        return (self.layers, self.structure, self.sparsity)

    @property
    def name(self) -> str:
        """The layers in a table: the first, and how many share its units."""
        first, *others = self.layers
        if others:
            return f"{first} +{len(others)}"
        return first


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity of every layer of a variant.

    Attributes:
        schema: version of this record.
        variant: the variant.
        model_sha256: of its Keras model.
        importance: name of the importance that groups are ranked by.
        metric: name of the metric.
        dense: the metric of the network as it is, with its int8 grids; None: not measured yet.
        points: layer by layer, structure by structure, sparsity by sparsity.
        skipped: structure -> layer -> why the structure does not fit it.
    """

    schema: int
    variant: str
    model_sha256: str
    importance: str
    metric: str
    dense: float | None = None
    points: tuple[SensitivityPoint, ...] = ()
    skipped: dict[str, dict[str, str]] = field(default_factory=dict)

    def change(self, point: SensitivityPoint) -> float | None:
        """Return how far the metric of a point is from that of the whole network, if known."""
        if point.value is None or self.dense is None:
            return None
        return point.value - self.dense
