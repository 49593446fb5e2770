{% set title = "The front end of anomaly detection in fixed point: from samples to levels of mel bands, and to the error." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fixed.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_spectrum.h"
#include "{{ name }}_tables.h"

#define FFT {{ NAME }}_FFT
#define HOP {{ NAME }}_HOP
#define FRAMES {{ record.frames }}
#define BANDS {{ NAME }}_BANDS
#define FEATURES (FRAMES * BANDS)

/* Bits behind the point. */
#define LOG_BITS 24
#define FEATURE_BITS 20
#define SCALE_BITS 30
#define DIFFERENCE_BITS 16
#define SUM_BITS 24

static int32_t frame[FFT];
static int exponent; /* values of the frame are to be divided by 2^exponent */
static int32_t features[FEATURES];

int {{ name }}_reset(void)
{
    return {{ name }}_npu_reset();
}

/* Leave the spectrum of the windowed samples. */
static void analyse(const int16_t samples[FFT])
{
    for (int place = 0; place < FFT; place++)
    {
        frame[place] = (int32_t)samples[place] * (1 << {{ NAME }}_SAMPLE_BITS);
    }
    exponent = {{ name }}_analyse(frame);
}

/* Return the base-2 logarithm of a mel band's power, limited from below. */
static int64_t level_of(uint64_t power)
{
    int64_t level;
    if (power == 0u)
    {
        return {{ NAME }}_LOG_SMALLEST_POWER;
    }
    level = {{ name }}_log2(power) + {{ NAME }}_LOG_MEL_UNIT - (int64_t)exponent * (2 << LOG_BITS);
    return (level > {{ NAME }}_LOG_SMALLEST_POWER) ? level : {{ NAME }}_LOG_SMALLEST_POWER;
}

/* Set the features of a frame: normalised levels of the mel bands. */
static void set_features(int32_t own[BANDS])
{
    const int32_t *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const int count = (int){{ name }}_mel_lengths[band];
        const uint64_t power = {{ name }}_weighted_powers(frame, {{ name }}_mel_first[band], weights, count);
        const int64_t product = (level_of(power) - {{ name }}_mean[band]) * {{ name }}_factor[band];
        own[band] = {{ name }}_saturated({{ name }}_scaled_down(product, LOG_BITS + {{ NAME }}_FACTOR_BITS - FEATURE_BITS));
        weights += count;
    }
}

static void set_input(void)
{
    int8_t *input = (int8_t *)&{{ name }}_arena[{{ NAME }}_INPUT_OFFSET];
    for (int place = 0; place < FEATURES; place++)
    {
        const int64_t product = features[place] * {{ NAME }}_INPUT_FACTOR;
        const int64_t steps = {{ name }}_scaled_down(product, FEATURE_BITS + {{ NAME }}_INPUT_FACTOR_BITS);
        input[place] = {{ name }}_int8(steps + {{ NAME }}_INPUT_ZERO_POINT);
    }
}

/* Return the mean squared difference of the features and what the network gives back. */
static int32_t error_of_output(void)
{
    const int8_t *output = (const int8_t *)&{{ name }}_arena[{{ NAME }}_OUTPUT_OFFSET];
    int64_t sum = 0;
    for (int place = 0; place < FEATURES; place++)
    {
        const int64_t product = ((int64_t)output[place] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
        const int64_t given_back = {{ name }}_scaled_down(product, SCALE_BITS - FEATURE_BITS);
        const int64_t difference = {{ name }}_scaled_down(features[place] - given_back, FEATURE_BITS - DIFFERENCE_BITS);
        sum += {{ name }}_scaled_down(difference * difference, 2 * DIFFERENCE_BITS - SUM_BITS);
    }
    return {{ name }}_saturated({{ name }}_scaled_down(sum / FEATURES, SUM_BITS - {{ NAME }}_ERROR_BITS));
}

int {{ name }}_process(const int16_t window[{{ NAME }}_SAMPLES], int32_t error[1])
{
    int result;
    for (int number = 0; number < FRAMES; number++)
    {
        analyse(&window[number * HOP]);
        set_features(&features[number * BANDS]);
    }
    set_input();
    result = {{ name }}_npu_run();
    if (result == 0)
    {
        error[0] = error_of_output();
    }
    return result;
}
