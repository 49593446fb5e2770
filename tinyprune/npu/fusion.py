"""The network as Vela runs it.

Padding and activations are part of their neighbours, sums overwrite an input.
"""

from collections import defaultdict
from dataclasses import replace

from tinyprune.sparsity.network_shape import NetworkShape, OperatorShape


def fused(shape: NetworkShape) -> NetworkShape:
    """Return a network whose tensors are those that Vela has memory for.

    A padded tensor is the tensor itself, so is one after an activation or a part of one, and a
    tensor that only a concatenation reads is written where it will be. The output of a sum takes
    the place of an input that nobody needs any more.
    """
    places = _Places(shape)
    operators = []
    for step, operator in enumerate(shape.operators):
        if _is_part_of_neighbour(operator, shape):
            places.share(operator.outputs[0], operator.inputs[0])
        else:
            operators.append(operator)
        if operator.kind == "concat":
            places.join(operator)
        elif operator.kind == "add":
            places.overwrite(operator, step)
    return NetworkShape(
        shape.tensors,
        tuple(map(places.moved, operators)),
        shape.sets,
        inputs=tuple(dict.fromkeys(map(places.final, shape.inputs))),
        outputs=tuple(dict.fromkeys(map(places.final, shape.outputs))),
    )


def _is_part_of_neighbour(operator: OperatorShape, shape: NetworkShape) -> bool:
    """Return whether Vela makes an operator part of the one before or after it."""
    if operator.kind == "slice":
        return set(operator.outputs).isdisjoint(shape.outputs)
    if operator.kind == "activation":
        return set(operator.inputs).isdisjoint(shape.inputs)
    return operator.kind == "pad"


class _Places:
    """The memory of each tensor of a network, as the number of another tensor or its own."""

    def __init__(self, shape: NetworkShape) -> None:
        self._shape = shape
        self._ends = {*shape.inputs, *shape.outputs}
        self._place = list(range(len(shape.tensors)))
        self._readers: dict[int, list[int]] = defaultdict(list)
        for step, operator in enumerate(shape.operators):
            for number in set(operator.inputs):
                self._readers[number].append(step)

    def share(self, number: int, other: int) -> None:
        """Put a tensor where another one is."""
        self._place[number] = self._place[other]

    def join(self, concatenation: OperatorShape) -> None:
        """Put inputs that only the concatenation reads into its output."""
        for number in concatenation.inputs:
            is_only_reader = len(self._readers[number]) == 1
            if is_only_reader and number not in self._ends:
                self._place[number] = concatenation.outputs[0]

    def overwrite(self, addition: OperatorShape, step: int) -> None:
        """Put the output of a sum where an input is that nobody reads later."""
        output = addition.outputs[0]
        if output in self._shape.outputs:
            return
        for number in addition.inputs:
            is_last_reader = self._readers[number][-1] == step
            if is_last_reader and number not in self._ends:
                self.share(output, number)
                return

    def final(self, number: int) -> int:
        """Return the tensor whose memory a tensor is in."""
        while self._place[number] != number:
            number = self._place[number]
        return number

    def moved(self, operator: OperatorShape) -> OperatorShape:
        """Return an operator between the memories of its tensors."""
        return replace(
            operator,
            inputs=tuple(map(self.final, operator.inputs)),
            outputs=tuple(map(self.final, operator.outputs)),
        )
