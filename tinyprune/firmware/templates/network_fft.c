{% set title = "The Fourier transform of real numbers, in place." %}
{% include "banner.txt" %}

#include "{{ name }}_fft.h"

#include "{{ name }}_tables.h"

/* Pairs of real numbers are one complex transform of half the length (Cooley and Tukey 1965). */
#define HALF ({{ NAME }}_FFT / 2)

{% set number = "float" %}
{% include "fft_order.c" %}

/* Transform HALF complex numbers; the sign is that of the exponent. */
static void transform(float values[], float sign)
{
    reorder(values);
    for (int length = 2; length <= HALF; length *= 2)
    {
        const int middle = length / 2;
        const int step = {{ NAME }}_FFT / length;
        for (int turn = 0; turn < middle; turn++)
        {
            const float real = {{ name }}_cosines[turn * step];
            const float imaginary = sign * {{ name }}_sines[turn * step];
            for (int start = turn; start < HALF; start += length)
            {
                float *low = &values[2 * start];
                float *high = &values[2 * (start + middle)];
                const float turned_real = high[0] * real - high[1] * imaginary;
                const float turned_imaginary = high[0] * imaginary + high[1] * real;
                high[0] = low[0] - turned_real;
                high[1] = low[1] - turned_imaginary;
                low[0] += turned_real;
                low[1] += turned_imaginary;
            }
        }
    }
}

/* Part or join the transforms of even and odd numbers; the sign is that of the exponent. */
static void part(float values[], float sign)
{
    for (int bin = 1; bin <= HALF / 2; bin++)
    {
        float *low = &values[2 * bin];
        float *high = &values[2 * (HALF - bin)];
        const float cosine = {{ name }}_cosines[bin];
        const float sine = sign * {{ name }}_sines[bin];
        const float even_real = 0.5f * (low[0] + high[0]);
        const float even_imaginary = 0.5f * (low[1] - high[1]);
        const float odd_real = -0.5f * sign * (low[1] + high[1]);
        const float odd_imaginary = 0.5f * sign * (low[0] - high[0]);
        const float turned_real = odd_real * cosine - odd_imaginary * sine;
        const float turned_imaginary = odd_real * sine + odd_imaginary * cosine;
        low[0] = even_real + turned_real;
        low[1] = even_imaginary + turned_imaginary;
        high[0] = even_real - turned_real;
        high[1] = turned_imaginary - even_imaginary;
    }
}

void {{ name }}_fft(float values[{{ NAME }}_FFT])
{
    float first;
    transform(values, -1.0f);
    part(values, -1.0f);
    first = values[0];
    values[0] = first + values[1];
    values[1] = first - values[1];
}
{% if has_inverse %}

void {{ name }}_inverse_fft(float values[{{ NAME }}_FFT])
{
    const float first = values[0];
    values[0] = 0.5f * (first + values[1]);
    values[1] = 0.5f * (first - values[1]);
    part(values, 1.0f);
    transform(values, 1.0f);
    for (int place = 0; place < {{ NAME }}_FFT; place++)
    {
        values[place] *= 1.0f / (float)HALF;
    }
}
{% endif %}
