{% set title = "The Fourier transform of real fixed-point numbers, in place." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_FFT_H
#define {{ NAME }}_FFT_H

#include <stdint.h>

#define {{ NAME }}_FFT {{ fft }}

/*
 * Transform {{ NAME }}_FFT numbers below 2^30, and divide by {{ NAME }}_FFT, so that no step overflows. In
 * their place come the real parts of the first and of the last bin, then real and imaginary part of each
 * bin between them.
 */
void {{ name }}_fft(int32_t values[{{ NAME }}_FFT]);
{% if has_inverse %}

/* Half of the inverse of a transform that divides by nothing; numbers are below 2^30. */
void {{ name }}_inverse_fft(int32_t values[{{ NAME }}_FFT]);
{% endif %}

#endif
