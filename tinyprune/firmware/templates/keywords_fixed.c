{% set title = "The front end of keyword spotting in fixed point: from samples to mel-frequency cepstral coefficients." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fixed.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_spectrum.h"
#include "{{ name }}_tables.h"

#include <string.h>

#define FFT {{ NAME }}_FFT
#define STRIDE {{ record.stride }}
#define FRAMES {{ record.frames }}
#define BANDS {{ NAME }}_BANDS
#define COEFFICIENTS {{ NAME }}_COEFFICIENTS

/* Bits behind the point. */
#define LOG_BITS 24
#define COEFFICIENT_BITS 20
#define SCALE_BITS 30
#define QUIETEST_BITS 30 /* the largest exponent of a frame */

static int32_t frame[FFT];
static int exponent; /* values of the frame are to be divided by 2^exponent */
static uint32_t magnitudes[FFT / 2 + 1];
static int32_t levels[BANDS]; /* base-2 logarithms of the mel bands, Q24 */
{% include "class_names.c" %}

int {{ name }}_reset(void)
{
    return {{ name }}_npu_reset();
}

/* Leave the magnitudes of the windowed samples. */
static void analyse(const int16_t samples[{{ NAME }}_WINDOW])
{
    (void)memset(frame, 0, sizeof(frame));
    for (int place = 0; place < {{ NAME }}_WINDOW; place++)
    {
        frame[place] = (int32_t)samples[place] * (1 << {{ NAME }}_SAMPLE_BITS);
    }
    exponent = {{ name }}_analyse(frame);
    {{ name }}_set_magnitudes(frame, magnitudes);
}

/* Leave the logarithms of the mel bands. */
static void set_levels(void)
{
    const int64_t unit = {{ NAME }}_LOG_MEL_UNIT - (int64_t)exponent * (1 << LOG_BITS);
    const uint64_t offset = (uint64_t){{ name }}_scaled_down({{ NAME }}_LOG_OFFSET, QUIETEST_BITS - exponent);
    const int32_t *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const int count = (int){{ name }}_mel_lengths[band];
        uint64_t sum = {{ name }}_weighted(&magnitudes[{{ name }}_mel_first[band]], weights, count) + offset;
        sum = (sum == 0u) ? 1u : sum;
        levels[band] = (int32_t)({{ name }}_log2(sum) + unit);
        weights += count;
    }
}

/* Give the network the coefficients of a frame, as it has learned them. */
static void set_coefficients(int8_t input[COEFFICIENTS])
{
    for (int coefficient = 0; coefficient < COEFFICIENTS; coefficient++)
    {
        const int32_t *weights = &{{ name }}_dct[coefficient * BANDS];
        int64_t sum = 0;
        int64_t feature;
        for (int band = 0; band < BANDS; band++)
        {
            sum += (int64_t)weights[band] * levels[band];
        }
        feature = {{ name }}_scaled_down(sum, LOG_BITS + {{ NAME }}_DCT_BITS - COEFFICIENT_BITS);
        feature = (feature - {{ name }}_mean[coefficient]) * {{ name }}_factor[coefficient];
        feature = {{ name }}_scaled_down(feature, COEFFICIENT_BITS + {{ NAME }}_FACTOR_BITS);
        input[coefficient] = {{ name }}_int8(feature + {{ NAME }}_INPUT_ZERO_POINT);
    }
}

int {{ name }}_process(const int16_t clip[{{ NAME }}_SAMPLES], int32_t scores[{{ NAME }}_SCORES])
{
    int8_t *input = (int8_t *)&{{ name }}_arena[{{ NAME }}_INPUT_OFFSET];
    const int8_t *output = (const int8_t *)&{{ name }}_arena[{{ NAME }}_OUTPUT_OFFSET];
    int result;
    for (int number = 0; number < FRAMES; number++)
    {
        analyse(&clip[number * STRIDE]);
        set_levels();
        set_coefficients(&input[number * COEFFICIENTS]);
    }
    result = {{ name }}_npu_run();
    if (result == 0)
    {
        for (int score = 0; score < {{ NAME }}_SCORES; score++)
        {
            const int64_t product = ((int64_t)output[score] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
            scores[score] = {{ name }}_saturated({{ name }}_scaled_down(product, SCALE_BITS - {{ NAME }}_SCORE_BITS));
        }
    }
    return result;
}
