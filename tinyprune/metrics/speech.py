"""How much of the clean speech is in an estimate, in dB. Signals are (n,), 16 kHz; NaN: there is no such ratio."""

import numpy as np

from tinyprune.array_types import Float32Array

SAMPLE_RATE = 16_000
SILENCE_POWER = 1e-10
HIGHEST_SDR_DB = 100.0
FILTER_TAPS = 512
SEGMENT_SECONDS, SEGMENTS_PER_WINDOW = 0.03, 4
SEGMENT_RANGE_DB = (-10.0, 35.0)


def is_defined(clean: Float32Array, estimate: Float32Array) -> bool:
    """Whether a score against the clean speech (n,) means anything: both signals finite, neither silent nor constant.

    Of different lengths, nothing is: an estimate has the samples of its speech.
    """
    if clean.shape != estimate.shape or not (
        np.isfinite(clean).all() and np.isfinite(estimate).all()
    ):
        return False
    return all(
        len(x) > 0 and np.var(x, dtype=np.float64) > SILENCE_POWER for x in (clean, estimate)
    )


def si_sdr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """Scale-invariant SDR, ``10 log10(|a s|^2 / |a s - e|^2)`` with ``a = <e, s> / <s, s>``, of zero-mean signals (n,).

    Le Roux et al. 2019, "SDR: half-baked or well done?".
    """
    s, e = (np.asarray(x, np.float64) - np.mean(x, dtype=np.float64) for x in (clean, estimate))
    target = s * (e @ s) / (s @ s)
    noise = target - e
    return float(10 * np.log10((target @ target + 1e-20) / (noise @ noise + 1e-20)))


def sdr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """BSS-eval SDR, which forgives a filter of 512 taps, of signals (n,); NaN where they are no longer.

    Vincent et al. 2006, "Performance measurement in blind audio source separation"; computed by
    ``fast_bss_eval``,
    which fails on a perfect estimate unless the result is limited: here to +-100 dB.
    """
    import fast_bss_eval

    if len(clean) <= FILTER_TAPS:  # a filter of that length makes anything of it
        return float("nan")
    signals = (signal[None].astype(np.float64) for signal in (clean, estimate))
    try:
        return float(
            fast_bss_eval.sdr(*signals, filter_length=FILTER_TAPS, clamp_db=HIGHEST_SDR_DB)[0]
        )
    except np.linalg.LinAlgError:  # speech that one filter turns into nothing: a pure tone
        return float("nan")


def seg_snr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """Segmental SNR, the mean over frames of ``10 log10(|w s|^2 / |w (s - e)|^2)``, each limited to -10 ... 35 dB.

    Frames of 30 ms every 7.5 ms under a Hann window ``w``; a filter or a gain is not forgiven.
    Quackenbush et al. 1988, "Objective Measures of Speech Quality", with the limits of Hansen and
    Pellom 1998, as Loizou's ``comp_snr.m`` and
    what follows it compute it: the last frame is left out. NaN where there is no other frame.
    """
    window = int(SEGMENT_SECONDS * SAMPLE_RATE)
    hop, least = window // SEGMENTS_PER_WINDOW, np.finfo(np.float64).eps
    count = (len(clean) - window) // hop
    if count < 1:
        return float("nan")
    hann = np.hanning(window + 2)[1:-1]
    speech, error = (
        np.square(
            np.lib.stride_tricks.sliding_window_view(signal, window)[: count * hop : hop] * hann
        ).sum(axis=1)
        for signal in (clean.astype(np.float64), clean.astype(np.float64) - estimate)
    )
    return float(
        np.mean(np.clip(10 * np.log10(speech / (error + least) + least), *SEGMENT_RANGE_DB))
    )
