"""Numbers as the cells and sentences of a report have them, those that do not exist included."""

from collections.abc import Callable

#: Cell of a value that does not exist.
NONE = "-"


def shown_number(value: float | None, number_format: Callable[[float], str]) -> str:
    """A number in its format; a dash for one that does not exist."""
    if value is None:
        return NONE
    return number_format(value)


def shown_factor(value: float | None) -> str:
    """``4.1x``; a dash for a factor that does not exist."""
    return shown_number(value, _factor)


def _factor(value: float) -> str:
    digits = 1 if value < 9.95 else 0
    return f"{value:.{digits}f}x"


def shown_milliseconds(seconds: float) -> str:
    """Hundredths; below a tenth three digits, because a small network takes microseconds."""
    if seconds >= 1e-4:
        return f"{1000 * seconds:.2f}"
    return f"{1000 * seconds:.3g}"


def shown_error(error: float | None) -> str:
    """Return a relative error for a table: ``-3.1%``."""
    return shown_number(error, _signed_percent)


def _signed_percent(error: float) -> str:
    digits = 1 if abs(error) < 9.995 else 0
    return f"{error:+.{digits}%}"
