"""How much of the clean speech is in an estimate, in dB."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tinyprune.artifacts import Quality
from tinyprune.audio.stft import Array
from tinyprune.registry import METRICS

SPEECH_METRICS = ("si_sdr_db", "sdr_db")
SILENCE_POWER = 1e-10
HIGHEST_SDR_DB = 100.0


def is_defined(clean: Array, estimate: Array) -> bool:
    """Whether a ratio to the clean speech (n,) means anything: both signals finite, neither silent nor constant."""
    if not (np.isfinite(clean).all() and np.isfinite(estimate).all()):
        return False
    return all(np.var(signal, dtype=np.float64) > SILENCE_POWER for signal in (clean, estimate))


def si_sdr_db(clean: Array, estimate: Array) -> float:
    """Scale-invariant SDR, ``10 log10(|a s|^2 / |a s - e|^2)`` with ``a = <e, s> / <s, s>``, of zero-mean signals (n,).

    Le Roux et al. 2019, "SDR: half-baked or well done?".
    """
    s, e = (np.asarray(x, np.float64) - np.mean(x, dtype=np.float64) for x in (clean, estimate))
    target = s * (e @ s) / (s @ s)
    noise = target - e
    return float(10 * np.log10((target @ target + 1e-20) / (noise @ noise + 1e-20)))


def sdr_db(clean: Array, estimate: Array) -> float:
    """BSS-eval SDR, which forgives a filter of 512 taps, of signals (n,).

    Vincent et al. 2006, "Performance measurement in blind audio source separation"; computed by ``fast_bss_eval``,
    which fails on a perfect estimate unless the result is limited: here to +-100 dB.
    """
    import fast_bss_eval

    signals = (signal[None].astype(np.float64) for signal in (clean, estimate))
    return float(fast_bss_eval.sdr(*signals, clamp_db=HIGHEST_SDR_DB)[0])


def quality(
    form: str,
    split: str,
    pairs: Iterable[tuple[Array, Array]],
    snrs_db: Sequence[float],
    metrics: Iterable[str] = SPEECH_METRICS,
) -> Quality:
    """Mean metrics of (clean, estimate) pairs, over all and per SNR; undefined pairs are left out and counted."""
    scores: list[tuple[float, dict[str, float]]] = []
    undefined, names = 0, list(metrics)
    for (clean, estimate), snr in zip(pairs, snrs_db, strict=True):
        if is_defined(clean, estimate):
            scores.append((snr, {name: METRICS[name](clean, estimate) for name in names}))
        else:
            undefined += 1
    by_snr = {
        f"{snr:g}": _mean([s for at, s in scores if at == snr], names) for snr in sorted({at for at, _ in scores})
    }
    return Quality(form, split, len(scores), undefined, _mean([s for _, s in scores], names), by_snr)


def _mean(scores: Sequence[Mapping[str, float]], names: list[str]) -> dict[str, float]:
    return {name: float(np.mean([score[name] for score in scores])) for name in names} if scores else {}
