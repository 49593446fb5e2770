"""What a network accepts as the shape of one input."""

from tinyprune.errors import UsageError

Shape = tuple[int | None, ...]


def check(model: str, inputs: Shape, axes: tuple[str, ...], free: tuple[str, ...] = ()) -> None:
    """Raises UsageError unless ``inputs`` has these axes, each of a known size; ``free`` ones may be None."""
    known = len(inputs) == len(axes) and all(
        axis in free if size is None else size > 0 for axis, size in zip(axes, inputs, strict=True)
    )
    if not known:
        raise UsageError(
            f"{model} takes inputs of shape ({', '.join(axes)}), and this data has {tuple(inputs)}: "
            "choose other data or another model (see `tinyprune list`)"
        )
