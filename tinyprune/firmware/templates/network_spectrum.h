{% set title = "The spectrum of a frame in fixed point." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_SPECTRUM_H
#define {{ NAME }}_SPECTRUM_H

#include "{{ name }}_fft.h"

#include <stdint.h>

#define {{ NAME }}_WINDOW {{ record.analysis_window | length }} /* samples of a frame; up to {{ NAME }}_FFT there are zeros */
#define {{ NAME }}_SAMPLE_BITS 12 /* behind the point of samples, which are steps of 16 bits */

/*
 * Multiply a frame by the window, and leave its spectrum in its place, as {{ name }}_fft does. Returns its
 * exponent: the numbers of the spectrum are to be divided by 2^exponent.
 */
int {{ name }}_analyse(int32_t frame[{{ NAME }}_FFT]);

/* Return the power of a bin of a spectrum, from 0 to {{ NAME }}_FFT / 2. */
uint64_t {{ name }}_power(const int32_t spectrum[{{ NAME }}_FFT], int bin);
{% if kind == "anomaly" %}

/* Return powers of neighbouring bins, from the first on, times weights, added up and divided by 2^32. */
uint64_t {{ name }}_weighted_powers(const int32_t spectrum[{{ NAME }}_FFT], int first, const int32_t weights[], int count);
{% else %}

/* Set the magnitudes of all bins of a spectrum. */
void {{ name }}_set_magnitudes(const int32_t spectrum[{{ NAME }}_FFT], uint32_t magnitudes[{{ NAME }}_FFT / 2 + 1]);

/* Return magnitudes times weights, added up. */
uint64_t {{ name }}_weighted(const uint32_t magnitudes[], const int32_t weights[], int count);
{% endif %}

#endif
