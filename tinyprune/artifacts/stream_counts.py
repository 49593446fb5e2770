"""What a command stream makes an NPU do, all in all and layer by layer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StreamCounts:
    """Counts of one inference, of all streams of a compiled network together.

    Attributes:
        operations: kind, e.g. "convolution" -> how many.
        macs: products of weights and inputs that the kernels ask for, padding included.
        filled_macs: the same with what fills groups of channels, taps and microblocks of positions
            up to what the array computes at once; None where the microblock is not known.
        weights: of all kernels.
        decoded_weights: values that the decoder delivers: with what fills groups, and again for
            every block of positions.
        weight_bytes: encoded weights that are read for it.
        transfers: of the DMA. transfer_bytes: that they move.
        macs_per_cycle: of the accelerator.
        cycles: of one inference, by Vela's estimate.
    """

    operations: dict[str, int]
    macs: int
    filled_macs: int | None
    weights: int
    decoded_weights: int
    weight_bytes: int
    transfers: int
    transfer_bytes: int
    macs_per_cycle: int
    cycles: float

    @property
    def array_use(self) -> float:
        """Part of the array's products that are products of the network, in all its cycles."""
        return self.macs / max(1.0, self.cycles * self.macs_per_cycle)

    @property
    def uses_of_a_weight(self) -> float:
        """Products of the network per decoded weight."""
        return self.macs / max(1, self.decoded_weights)

    @property
    def weights_per_cycle(self) -> float:
        """Decoded weights per cycle."""
        return self.decoded_weights / max(1.0, self.cycles)


@dataclass(frozen=True)
class LayerWork:
    """The work that a command stream gives an NPU for one layer.

    Attributes:
        name: of the layer.
        counts: of it; those of all layers add up to those of the network.
        kernel_cycles: of its operators with weights, a part of ``counts.cycles``.
        kernels_bound_by: the part with the most cycles in these (Cycles.PARTS); empty without any.
    """

    name: str
    counts: StreamCounts
    kernel_cycles: float
    kernels_bound_by: str
