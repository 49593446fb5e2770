"""Ratios of clean speech to what an estimate adds, in dB.

Signals are (n,), 16 kHz. NaN: there is no such ratio.
"""

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array

SAMPLE_RATE = 16_000
SILENCE_POWER = 1e-10
HIGHEST_SDR_DB = 100.0
HIGHEST_SI_SDR_DB = 60.0
FILTER_TAPS = 512
SEGMENT_SECONDS, SEGMENTS_PER_WINDOW = 0.03, 4
SEGMENT_RANGE_DB = (-10.0, 35.0)


def is_defined(clean: Float32Array, estimate: Float32Array) -> bool:
    """Return True where a score against the clean speech (n,) means anything.

    Both signals are finite, neither is silent or constant, and both have the same length: an
    estimate has the samples of its speech.
    """
    if clean.shape != estimate.shape:
        return False
    return _is_audible(clean) and _is_audible(estimate)


def _is_audible(signal: Float32Array) -> bool:
    """True for a finite signal that is neither empty, silent nor constant."""
    if not len(signal) or not np.isfinite(signal).all():
        return False
    return bool(np.var(signal, dtype=np.float64) > SILENCE_POWER)


def si_sdr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """Scale-invariant SDR of zero-mean signals (n,).

    ``10 log10(|a s|^2 / |a s - e|^2)`` with ``a = <e, s> / <s, s>``. Le Roux et al. 2019, "SDR:
    half-baked or well done?". Limited to +-60 dB: beyond, one perfect file would decide a mean.
    """
    s = np.asarray(clean, np.float64) - np.mean(clean, dtype=np.float64)
    e = np.asarray(estimate, np.float64) - np.mean(estimate, dtype=np.float64)
    target = s * (e @ s) / (s @ s)
    noise = target - e
    ratio_db = 10 * np.log10((target @ target + 1e-20) / (noise @ noise + 1e-20))
    return float(np.clip(ratio_db, -HIGHEST_SI_SDR_DB, HIGHEST_SI_SDR_DB))


def sdr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """BSS-eval SDR, which forgives a filter of 512 taps, of signals (n,); NaN for shorter ones.

    Vincent et al. 2006, "Performance measurement in blind audio source separation"; computed by
    ``fast_bss_eval``, which fails on a perfect estimate unless the result is limited: here to
    +-100 dB.
    """
    import fast_bss_eval

    if len(clean) <= FILTER_TAPS:  # a filter of that length makes anything of it
        return float("nan")
    try:
        values = fast_bss_eval.sdr(
            clean[None].astype(np.float64),
            estimate[None].astype(np.float64),
            filter_length=FILTER_TAPS,
            clamp_db=HIGHEST_SDR_DB,
        )
        return float(values[0])
    except np.linalg.LinAlgError:  # speech that one filter turns into nothing: a pure tone
        return float("nan")


def seg_snr_db(clean: Float32Array, estimate: Float32Array) -> float:
    """Segmental SNR of signals (n,): the mean over frames, each limited to -10 ... 35 dB.

    ``10 log10(|w s|^2 / |w (s - e)|^2)`` of frames of 30 ms every 7.5 ms under a Hann window ``w``;
    a filter or a gain is not forgiven. Quackenbush et al. 1988, "Objective Measures of Speech
    Quality", with the limits of Hansen and Pellom 1998, as Loizou's ``comp_snr.m`` and what follows
    it compute it: the last frame is left out. NaN where there is no other frame.
    """
    window = int(SEGMENT_SECONDS * SAMPLE_RATE)
    hop = window // SEGMENTS_PER_WINDOW
    count = (len(clean) - window) // hop
    if count < 1:
        return float("nan")
    hann = np.hanning(window + 2)[1:-1]

    def energies(signal: Float64Array) -> Float64Array:
        frames = np.lib.stride_tricks.sliding_window_view(signal, window)[: count * hop : hop]
        return np.square(frames * hann).sum(axis=1)

    speech = energies(clean.astype(np.float64))
    error = energies(clean.astype(np.float64) - estimate)
    least = np.finfo(np.float64).eps
    ratios = 10 * np.log10(speech / (error + least) + least)
    return float(np.mean(np.clip(ratios, *SEGMENT_RANGE_DB)))
