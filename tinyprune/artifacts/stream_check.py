"""The comparison of a compiled network with the network that it was compiled from."""

from dataclasses import dataclass

from tinyprune.artifacts.stream_counts import LayerWork, StreamCounts

#: Name of the record, beside the compiled file.
RECORD = "verification.json"


@dataclass(frozen=True)
class StreamCheck:
    """The outputs of a command stream beside those of a reference, byte by byte.

    Attributes:
        name: of the variant or the file.
        target: name of the target.
        source: "dev", the data that went through it, or "noise".
        inferences: how many went through both.
        reference: engine that ran the original, "TFLM" or "LiteRT".
        reason: for a reference other than TFLM; empty for TFLM.
        bytes: number of output bytes.
        bytes_off: number of those that differ.
        largest: the largest difference of two numbers, in steps of the output's grid.
        first_off: number of the first inference whose outputs differ, from 0; None where all agree.
        limit_percent: bytes that may differ, in percent.
        is_step_free: whether bytes of numbers that are one step apart do not count for the limit.
        bytes_beyond: bytes that differ in numbers which are more than a step apart; None in records
            of before.
        has_wide_numbers: whether the stream computes with numbers of 16 bit, whose scales Vela
            rounds in other places than the reference.
        metric: name of the metric on dev; empty where there is none.
        value, reference_value: the metric with the outputs of the stream and of the reference.
        counts: what the stream makes the NPU do in an inference; None in records of before.
        layers: the same layer by layer; empty where Vela does not say which operation is whose.
    """

    name: str
    target: str
    source: str
    inferences: int
    reference: str
    reason: str
    bytes: int
    bytes_off: int
    largest: float
    first_off: int | None
    limit_percent: float
    is_step_free: bool = False
    bytes_beyond: int | None = None
    has_wide_numbers: bool = False
    metric: str = ""
    value: float | None = None
    reference_value: float | None = None
    counts: StreamCounts | None = None
    layers: tuple[LayerWork, ...] = ()

    @property
    def percent_off(self) -> float:
        """Bytes that differ, in percent."""
        return 100 * self.bytes_off / max(self.bytes, 1)

    @property
    def percent_counted(self) -> float:
        """Bytes that count for the limit, in percent."""
        counted = self.bytes_off
        if self.is_step_free and self.bytes_beyond is not None:
            counted = self.bytes_beyond
        return 100 * counted / max(self.bytes, 1)

    @property
    def sentence(self) -> str:
        """A line: what was compared, and how many bytes differ."""
        return (
            f"stream of {self.name} on {self.target}, {self.inferences:,} inferences on "
            f"{self.source}: {self.bytes_off:,} of {self.bytes:,} output bytes differ from "
            f"{self.reference}"
        )

    @property
    def is_kept(self) -> bool:
        """True where no more bytes differ than may."""
        return self.percent_counted <= self.limit_percent
