"""The difference between the outputs of a changed network and those of the original."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputError:
    """The error of a network against the one that it was made of.

    Attributes:
        inputs: number of inputs that both were run on.
        source: file that they come from; empty: noise in the range of the input.
        sqnr_db: power of the original outputs over that of the differences, in dB; None where there
            is no difference.
        agreement: fraction of the inputs for which both have the same highest output; None where
            there is one output only.
        accuracy, original_accuracy: fraction of the labels that is right, of the changed network
            and of the original; None without labels.
        output: of several outputs, the one that the SQNR is of; empty where there is one.
    """

    inputs: int
    source: str = ""
    sqnr_db: float | None = None
    agreement: float | None = None
    accuracy: float | None = None
    original_accuracy: float | None = None
    output: str = ""
