"""What the layers of a command stream keep the NPU busy with, and what would use it better."""

from collections.abc import Sequence
from dataclasses import dataclass

from tinyprune.artifacts.stream_counts import LayerWork

#: A decoder gives at most 8 weights a cycle to 256 products (docs/verification.md).
_PRODUCTS_OF_DECODER, _WEIGHTS_OF_DECODER = 256, 8
#: Nine taps are filled up to twelve whatever the channels are; beyond that channels count.
_FILLED = 1.5
_HALF = 0.5


@dataclass(frozen=True)
class Busy:
    """The main work of a layer. Attributes: what: in words; remedy: what would help."""

    what: str
    remedy: str


_ELEMENTWISE = Busy(
    "elementwise, copies",
    "fewer units, and activations that a kernel's operation does, e.g. ReLU",
)
_FLASH = Busy("waiting for weights", "fewer bytes of weights: zeros, clusters, fewer units")
_SRAM = Busy("moving in SRAM", "fewer units or smaller inputs")
#: Part that kernels wait for (Cycles.PARTS) -> what that is.
_MEMORIES = {"SRAM": _SRAM, "DRAM": _FLASH, "on-chip flash": _FLASH, "off-chip flash": _FLASH}
_DECODING = Busy(
    "decoding weights",
    "fewer weights (units, blocks), or more positions per call; a larger array stays idle",
)
_FILLING = Busy("filling groups", "channels in multiples of 8, of inputs too (--round-to 8)")
_COMPUTING = Busy("computing", "fewer units or a larger array; zeros do not help")


def remedies(layers: Sequence[LayerWork]) -> dict[str, str]:
    """Return what layers are busy with, in words, with what would help each."""
    busy = map(busy_with, layers)
    return {each.what: each.remedy for each in busy}


def busy_with(layer: LayerWork) -> Busy:
    """Return what takes most of a layer's time.

    By Vela's cycles; of kernels that compute longer than they wait, by the counts of the stream.
    """
    counts = layer.counts
    has_kernels = bool(layer.kernels_bound_by)
    if not has_kernels or layer.kernel_cycles < _HALF * counts.cycles:
        return _ELEMENTWISE
    if layer.kernels_bound_by != "NPU":
        return _MEMORIES[layer.kernels_bound_by]
    if _waits_for_decoder(layer):
        return _DECODING
    if counts.filled_macs is not None and counts.filled_macs > _FILLED * counts.macs:
        return _FILLING
    return _COMPUTING


def _waits_for_decoder(layer: LayerWork) -> bool:
    """Return whether weights are used too rarely to fill half of the array.

    Of Ethos-U85 that is not known.
    """
    counts = layer.counts
    if counts.filled_macs is None:
        return False
    decoders = max(1, counts.macs_per_cycle // _PRODUCTS_OF_DECODER)
    most_products = counts.filled_macs / max(1, counts.decoded_weights)
    used = most_products * decoders * _WEIGHTS_OF_DECODER
    return used < _HALF * counts.macs_per_cycle
