{% set title = "The Fourier transform of real numbers, in place." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_FFT_H
#define {{ NAME }}_FFT_H

#define {{ NAME }}_FFT {{ fft }}

/*
 * Transform {{ NAME }}_FFT numbers. In their place come the real parts of the first and of the last bin,
 * then real and imaginary part of each bin between them.
 */
void {{ name }}_fft(float values[{{ NAME }}_FFT]);
{% if has_inverse %}

/* The inverse of {{ name }}_fft. */
void {{ name }}_inverse_fft(float values[{{ NAME }}_FFT]);
{% endif %}

#endif
