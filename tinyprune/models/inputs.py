"""The shape of one input, and the check of whether a network takes it."""

from tinyprune.errors import UsageError

Shape = tuple[int | None, ...]


def check(model: str, inputs: Shape, axes: tuple[str, ...], free: tuple[str, ...] = ()) -> None:
    """Raise UsageError unless an input has the axes that a network takes, each of a known size.

    Args:
        model: name of the network.
        inputs: shape of one input.
        axes: names of the axes that the network takes.
        free: axes whose size may be None.
    """
    has_axes = len(inputs) == len(axes)
    sizes = dict(zip(axes, inputs, strict=False))
    if not has_axes or not all(_is_known(size, axis in free) for axis, size in sizes.items()):
        raise UsageError(
            f"{model} takes inputs of shape ({', '.join(axes)}), "
            f"and this data has {tuple(inputs)}: "
            "choose other data or another model (see `tinyprune list`)"
        )


def _is_known(size: int | None, may_be_none: bool) -> bool:
    return may_be_none if size is None else size > 0
