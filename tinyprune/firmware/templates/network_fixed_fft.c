{% set title = "The Fourier transform of real fixed-point numbers, in place." %}
{% include "banner.txt" %}

#include "{{ name }}_fft.h"

#include "{{ name }}_tables.h"

/*
 * With {{ NAME }}_CMSIS_DSP defined, the transform is arm_rfft_q31 of CMSIS-DSP{{ ", the inverse the one below" if has_inverse }}. Tried
 * on a PC with the C of cmsisdsp 1.10.3 of PyPI; not built for an Arm core.
 */
#ifdef {{ NAME }}_CMSIS_DSP
#include "arm_math.h"
#endif

/* Pairs of real numbers are one complex transform of half the length (Cooley and Tukey 1965). */
#define HALF ({{ NAME }}_FFT / 2)
#define TURN_BITS 30 /* of cosines and sines */

/* Return half of a sum or difference, rounded. */
static int32_t half(int64_t value)
{
    return (int32_t)((value + 1) >> 1);
}

/* Return a product with cosine and sine, added up, as an integer. */
static int64_t turned(int64_t value)
{
    return (value + ((int64_t)1 << (TURN_BITS - 1))) >> TURN_BITS;
}

{% set number = "int32_t" %}
{% include "fft_order.c" %}

/* Transform HALF complex numbers and divide by HALF; the sign is that of the exponent. */
static void transform(int32_t values[], int64_t sign)
{
    reorder(values);
    for (int length = 2; length <= HALF; length *= 2)
    {
        const int middle = length / 2;
        const int step = {{ NAME }}_FFT / length;
        for (int turn = 0; turn < middle; turn++)
        {
            const int64_t real = {{ name }}_cosines[turn * step];
            const int64_t imaginary = sign * {{ name }}_sines[turn * step];
            for (int start = turn; start < HALF; start += length)
            {
                int32_t *low = &values[2 * start];
                int32_t *high = &values[2 * (start + middle)];
                const int64_t turned_real = turned(high[0] * real - high[1] * imaginary);
                const int64_t turned_imaginary = turned(high[0] * imaginary + high[1] * real);
                high[0] = half(low[0] - turned_real);
                high[1] = half(low[1] - turned_imaginary);
                low[0] = half(low[0] + turned_real);
                low[1] = half(low[1] + turned_imaginary);
            }
        }
    }
}

/* Part or join the transforms of even and odd numbers, and halve; the sign is that of the exponent. */
static void part(int32_t values[], int64_t sign)
{
    for (int bin = 1; bin <= HALF / 2; bin++)
    {
        int32_t *low = &values[2 * bin];
        int32_t *high = &values[2 * (HALF - bin)];
        const int64_t cosine = {{ name }}_cosines[bin];
        const int64_t sine = sign * {{ name }}_sines[bin];
        const int64_t even_real = half((int64_t)low[0] + high[0]);
        const int64_t even_imaginary = half((int64_t)low[1] - high[1]);
        const int64_t odd_real = half(-sign * ((int64_t)low[1] + high[1]));
        const int64_t odd_imaginary = half(sign * ((int64_t)low[0] - high[0]));
        const int64_t turned_real = turned(odd_real * cosine - odd_imaginary * sine);
        const int64_t turned_imaginary = turned(odd_real * sine + odd_imaginary * cosine);
        low[0] = half(even_real + turned_real);
        low[1] = half(even_imaginary + turned_imaginary);
        high[0] = half(even_real - turned_real);
        high[1] = half(turned_imaginary - even_imaginary);
    }
}

#ifdef {{ NAME }}_CMSIS_DSP
void {{ name }}_fft(int32_t values[{{ NAME }}_FFT])
{
    static arm_rfft_instance_q31 instance;
    static q31_t bins[2 * {{ NAME }}_FFT];
    if (instance.fftLenReal != (uint32_t){{ NAME }}_FFT)
    {
        (void)arm_rfft_init_q31(&instance, (uint32_t){{ NAME }}_FFT, 0u, 1u);
    }
    arm_rfft_q31(&instance, values, bins); /* divides by {{ NAME }}_FFT */
    values[0] = bins[0];
    values[1] = bins[{{ NAME }}_FFT];
    for (int place = 2; place < {{ NAME }}_FFT; place++)
    {
        values[place] = bins[place];
    }
}
#else
void {{ name }}_fft(int32_t values[{{ NAME }}_FFT])
{
    int64_t first;
    transform(values, -1);
    part(values, -1);
    first = values[0];
    values[0] = half(first + values[1]);
    values[1] = half(first - values[1]);
}
#endif
{% if has_inverse %}

void {{ name }}_inverse_fft(int32_t values[{{ NAME }}_FFT])
{
    const int64_t first = values[0];
    values[0] = half(half(first + values[1]));
    values[1] = half(half(first - values[1]));
    part(values, 1);
    transform(values, 1);
}
{% endif %}
