{% set title = "The spectrum of a frame in fixed point." %}
{% include "banner.txt" %}

#include "{{ name }}_spectrum.h"

#include "{{ name }}_fixed.h"
#include "{{ name }}_tables.h"

#define FFT {{ NAME }}_FFT
#define WINDOW_BITS 30

int {{ name }}_analyse(int32_t frame[FFT])
{
    int exponent;
    for (int place = 0; place < {{ NAME }}_WINDOW; place++)
    {
        const int64_t product = (int64_t)frame[place] * {{ name }}_analysis_window[place];
        frame[place] = {{ name }}_saturated({{ name }}_scaled_down(product, WINDOW_BITS));
    }
    exponent = {{ name }}_normalise(frame, FFT);
    {{ name }}_fft(frame);
    return exponent;
}

uint64_t {{ name }}_power(const int32_t spectrum[FFT], int bin)
{
    const int is_end = (bin == 0) || (bin == FFT / 2);
    const int64_t real = (bin == FFT / 2) ? spectrum[1] : spectrum[2 * bin];
    const int64_t imaginary = (is_end != 0) ? 0 : spectrum[2 * bin + 1];
    return (uint64_t)(real * real) + (uint64_t)(imaginary * imaginary);
}
{% if kind == "anomaly" %}

uint64_t {{ name }}_weighted_powers(const int32_t spectrum[FFT], int first, const int32_t weights[], int count)
{
    uint64_t sum = 0u;
    for (int place = 0; place < count; place++)
    {
        const uint64_t power = {{ name }}_power(spectrum, first + place);
        const uint64_t weight = (uint64_t)weights[place];
        const uint64_t low = (power & UINT64_C(0xFFFFFFFF)) * weight;
        sum += (power >> 32) * weight + (low >> 32);
    }
    return sum;
}
{% else %}

void {{ name }}_set_magnitudes(const int32_t spectrum[FFT], uint32_t magnitudes[FFT / 2 + 1])
{
    for (int bin = 0; bin <= FFT / 2; bin++)
    {
        magnitudes[bin] = {{ name }}_root({{ name }}_power(spectrum, bin));
    }
}

uint64_t {{ name }}_weighted(const uint32_t magnitudes[], const int32_t weights[], int count)
{
    uint64_t sum = 0u;
    for (int place = 0; place < count; place++)
    {
        sum += (uint64_t)weights[place] * magnitudes[place];
    }
    return sum;
}
{% endif %}
