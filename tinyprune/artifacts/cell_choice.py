"""The form that was chosen for a recurrent layer, and why."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CellChoice:
    """The form of an LSTM layer in the ``.tflite``.

    Attributes:
        layer: its name.
        form: "fused", "explicit", or "merged": explicit, with one product of inputs and state.
        target: name of the accelerator that it was chosen for.
        cycles: form -> cycles of one call of the layer alone, by Vela; empty where Vela was not
            asked, and without a form that Vela could not compile.
        note: why there is nothing to compare, or empty.
        input_limit: of a merged one, the largest magnitude of its inputs.
    """

    layer: str
    form: str
    target: str
    cycles: dict[str, float] = field(default_factory=dict)
    note: str = ""
    input_limit: float | None = None

    @property
    def sentence(self) -> str:
        """The choice in words, e.g. "explicit on ethos-u55-128-sram-only: 76,012 cycles, ...".

        Another form follows with its cycles.
        """
        parts = [f"{self.form} for {self.target}"]
        if self.form in self.cycles:
            parts.append(f"{self.cycles[self.form]:,.0f} cycles")
        for form, cycles in self.cycles.items():
            if form != self.form:
                parts.append(f"{form} {cycles:,.0f}")
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)
