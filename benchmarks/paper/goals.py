"""The goals: what was asked, by which row it was reached, or how far it got. Rows are chosen on dev."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import DENSE, JOINT
from benchmarks.paper.view import SHARED, SRAM_ONLY, Ratio, View, best_within, least_loss

REACHED, MISSED, OPEN, SO_FAR = "reached", "not reached", "not run yet", "not reached so far"
OVER_FLOAT = "reached over the float32 baseline only"
FLASH, FLASH_LOSS = (42.0, 60.0), 0.1
CYCLES, CYCLES_LOSS = (6.7, 10.0), 0.59
OVER_OFFLINE, LEVEL, GAIN = 1.0, "weight-0.90", 6.0


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        asked: what. found: by what it is reached, or how far it got; empty: nothing to judge it by.
        verdict: "reached", "not reached", "not reached so far" (rows still wait), "not run yet", or
            that it is reached over the float32 baseline, but not over a dense row that came out
            better than that.
    """

    asked: str
    verdict: str
    found: str


def goals(view: View) -> list[Goal]:
    """All of them, on the split of the page."""
    return list(_goals(view))


def _goals(view: View) -> Iterator[Goal]:
    yield _gain(view)
    for factor in FLASH:
        stretch = "" if factor == FLASH[0] else " (stretch)"
        asked = f"flash {factor:g}x below float32, at most {FLASH_LOSS} dB SDR lost{stretch}"
        yield _ratio(view, asked, view.flash_ratio, factor, FLASH_LOSS)
    for factor in CYCLES:
        stretch = "" if factor == CYCLES[0] else " (stretch)"
        modes = "than dense int8 under Shared_Sram and under Sram_Only"
        asked = f"{factor:g}x fewer cycles {modes}, at most {CYCLES_LOSS} dB SDR lost"
        yield _ratio(
            view, asked + stretch, lambda found: both_modes(view, found), factor, CYCLES_LOSS
        )
    yield _over_offline(view)


def both_modes(view: View, found: RowRecord) -> float | None:
    """The smaller of the two ratios of cycles."""
    ratios = [view.cycles_ratio(found, target) for target in (SHARED, SRAM_ONLY)]
    return None if None in ratios else min(ratio for ratio in ratios if ratio is not None)


def _ratio(view: View, asked: str, ratio: Ratio, least: float, limit: float) -> Goal:
    """By the row that loses least on dev of those with the ratio; if that is too much, also how far the others get.

    A row that would do on the split of the page, but that dev does not choose, is named and reaches
    nothing.
    """
    own = [found for found in view.own if ratio(found) is not None]
    if not own:
        return Goal(asked, OPEN, "")
    there, within = least_loss(view, own, ratio, least), best_within(view, own, ratio, limit)
    if there and view.loss(there) <= limit:
        better = best_dense(view)
        excess = view.loss(there) - view.loss(better) - limit if better else 0.0
        found = f"`{there.row}`: {ratio(there):.1f}x, {view.change(there)}{_against(view, better, there)}"
        if excess <= 0:
            return Goal(asked, REACHED, found)
        return Goal(asked, OVER_FLOAT, f"{found}, {excess:.2f} dB too much")
    parts = []
    if there:
        excess = view.loss(there) - limit
        parts.append(
            f"`{there.row}` has {ratio(there):.1f}x, {view.change(there)}: {excess:.2f} dB too much"
        )
    if within:
        factor = ratio(within) or 0.0
        text = f"within the loss on dev `{within.row}`: {factor:.1f}x, {view.change(within)}"
        parts.append(text + (f"; {least / factor:.2f}x more is needed" if factor < least else ""))
    other = min((one for one in own if (ratio(one) or 0.0) >= least), key=view.loss, default=None)
    if other and view.loss(other) <= limit:
        parts.append(
            f"`{other.row}`, which dev does not choose, has {ratio(other):.1f}x, {view.change(other)}"
        )
    verdict = SO_FAR if any(row.way == JOINT for row in view.waiting) else MISSED
    return Goal(
        asked,
        verdict,
        "; ".join(parts) or "no row is within the loss on dev, and none has the factor",
    )


def best_dense(view: View) -> RowRecord | None:
    """The dense row that is best on dev, where it is better than the float32 baseline: what a loss has to stand too."""
    found = min(view.dense, key=lambda one: view.loss(one, "dev"), default=None)
    return found if found and view.loss(found, "dev") < 0 else None


def _against(view: View, better: RowRecord | None, found: RowRecord) -> str:
    """The difference to that row, of the same items."""
    return f"; to `{better.row}` {view.loss(better) - view.loss(found):+.2f} dB" if better else ""


def _over_offline(view: View) -> Goal:
    asked = f"joint at least {OVER_OFFLINE:g} dB SDR better than the offline control at 90 % of the weights"
    joint, offline = view.of(LEVEL), view.of(f"offline-{LEVEL}")
    if not joint or not offline:
        return Goal(asked, OPEN, "")
    better = view.loss(offline) - view.loss(joint)
    verdict = REACHED if better >= OVER_OFFLINE else MISSED
    return Goal(asked, verdict, f"{better:+.2f} dB ({_short(better, OVER_OFFLINE)})")


def _gain(view: View) -> Goal:
    asked = f"the float32 baseline gains at least {GAIN:g} dB SI-SDR over the noisy input"
    base = view.of(DENSE)
    split = view.scored(base) if base else None
    if not base or not split or "si_sdr_db" not in split.noisy:
        return Goal(asked, OPEN, "")
    gain = split.scores["si_sdr_db"].mean - split.noisy["si_sdr_db"]
    return Goal(
        asked, REACHED if gain >= GAIN else MISSED, f"{gain:+.2f} dB ({_short(gain, GAIN)})"
    )


def _short(value: float, least: float) -> str:
    return f"{value - least:.2f} dB more" if value >= least else f"{least - value:.2f} dB short"
