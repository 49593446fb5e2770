{% set title = "The front end of a denoiser in fixed point: from samples to features, and from its mask to samples." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fft.h"
#include "{{ name }}_fixed.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_spectrum.h"
#include "{{ name }}_tables.h"

#include <string.h>

#define HOP {{ NAME }}_HOP
#define FRAME (2 * HOP)
#define BINS (HOP + 1)
#define BANDS {{ NAME }}_BANDS

/* Bits behind the point. Samples are steps of 16 bits. */
#define SAMPLE_BITS {{ NAME }}_SAMPLE_BITS
#define SAMPLE_UNIT (1 << SAMPLE_BITS)
#define POLE_BITS 31
#define WINDOW_BITS 30
#define GAIN_BITS 30
#define LOG_BITS 24 /* of logarithms and of features before normalisation */
#define EXPONENT_BITS 30
#define LEVEL_SAMPLE_BITS 8 /* of samples whose squares are added up: their power has twice that */

/* What is kept from hop to hop. */
static int32_t before[HOP]; /* conditioned samples of the hop before */
static int32_t tail[HOP];   /* second half of the frame that was synthesised last */
{% if record.dc_pole %}
static int64_t last_input;
static int64_t last_output;
static int is_started;
{% endif %}
{% if record.usual_dbfs is not none %}
static int64_t level; /* the power that is followed */
{% endif %}

/* What is used within a call: values of the frame are to be divided by 2^exponent. */
static int32_t frame[FRAME];
static int exponent;
static uint32_t magnitudes[BINS];
static int32_t mask[BANDS];

int {{ name }}_reset(void)
{
    (void)memset(before, 0, sizeof(before));
    (void)memset(tail, 0, sizeof(tail));
{% if record.dc_pole %}
    last_input = 0;
    last_output = 0;
    is_started = 0;
{% endif %}
{% if record.usual_dbfs is not none %}
    level = 0;
{% endif %}
    return {{ name }}_npu_reset();
}

/* Put the hop before and this one into the frame, the latter conditioned. */
static void condition(const int16_t in[HOP])
{
    int32_t *samples = &frame[HOP];
    (void)memcpy(frame, before, sizeof(before));
    for (int place = 0; place < HOP; place++)
    {
        samples[place] = (int32_t)in[place] * SAMPLE_UNIT;
    }
{% if record.dc_pole %}
    if (is_started == 0)
    {
        /* The signal starts as if it had been at the mean of its first hop for ever. */
        int64_t sum = 0;
        for (int place = 0; place < HOP; place++)
        {
            sum += samples[place];
        }
        last_input = sum / HOP;
        is_started = 1;
    }
    for (int place = 0; place < HOP; place++)
    {
        const int64_t input = samples[place];
        last_output = input - last_input + {{ name }}_scaled_down({{ NAME }}_DC_POLE * last_output, POLE_BITS);
        last_input = input;
        samples[place] = {{ name }}_saturated(last_output);
    }
{% endif %}
    (void)memcpy(before, samples, sizeof(before));
}
{% if record.usual_dbfs is not none %}

/* Return a positive number times a factor below 1 in Q31. */
static int64_t decayed(int64_t value, int64_t factor)
{
    const int64_t high = value >> 32;
    const int64_t low = value & INT64_C(0xFFFFFFFF);
    return high * factor * 2 + ((low * factor) >> 31);
}
{% endif %}

/* Return the logarithm of what magnitudes are multiplied by, so that quiet speech is as loud as in training. */
static int32_t log_gain_of_hop(void)
{
{% if record.usual_dbfs is not none %}
    int64_t power = 0;
    int64_t gain;
    for (int place = 0; place < HOP; place++)
    {
        const int64_t sample = {{ name }}_scaled_down(before[place], SAMPLE_BITS - LEVEL_SAMPLE_BITS);
        power += sample * sample;
    }
    power /= HOP;
    level = decayed(level, {{ NAME }}_LEVEL_DECAY);
    level = (power > level) ? power : level;
    level = (level < {{ NAME }}_LEAST_LEVEL) ? {{ NAME }}_LEAST_LEVEL : level;
    gain = ((int64_t){{ NAME }}_LOG_USUAL_LEVEL - {{ name }}_log2((uint64_t)level)) / 2;
    gain = (gain < 0) ? 0 : gain;
    return (int32_t)((gain > {{ NAME }}_LOG_MOST_GAIN) ? {{ NAME }}_LOG_MOST_GAIN : gain);
{% else %}
    return 0;
{% endif %}
}

/* Leave the spectrum of the windowed frame in its place, and its magnitudes beside it. */
static void analyse(void)
{
    exponent = {{ name }}_analyse(frame);
    {{ name }}_set_magnitudes(frame, magnitudes);
}

/* Return a feature before normalisation: the power of a band's sum of magnitudes. */
static int32_t powered(uint64_t sum, int32_t log_gain)
{
    int64_t logarithm;
    if (sum == 0u)
    {
        return 0;
    }
    logarithm = (int64_t){{ name }}_log2(sum) + log_gain + {{ NAME }}_LOG_MEL_UNIT;
    logarithm -= (int64_t)exponent * (1 << LOG_BITS);
    return {{ name }}_exp2({{ name }}_scaled_down(logarithm * {{ NAME }}_POWER, EXPONENT_BITS));
}

/* Give the network the mel bands of the magnitudes, as it has learned them. */
static void set_features(int32_t log_gain)
{
    int8_t *input = (int8_t *)&{{ name }}_arena[{{ NAME }}_INPUT_OFFSET];
    const int32_t *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const int count = (int){{ name }}_mel_lengths[band];
        const uint64_t sum = {{ name }}_weighted(&magnitudes[{{ name }}_mel_first[band]], weights, count);
        int64_t feature = (int64_t)powered(sum, log_gain) - {{ name }}_mean[band];
        feature = {{ name }}_scaled_down(feature * {{ name }}_factor[band], LOG_BITS + {{ NAME }}_FACTOR_BITS);
        input[band] = {{ name }}_int8(feature + {{ NAME }}_INPUT_ZERO_POINT);
        weights += count;
    }
}

/* Read the mask of the network. */
static void get_mask(void)
{
    const int8_t *output = (const int8_t *)&{{ name }}_arena[{{ NAME }}_OUTPUT_OFFSET];
    for (int band = 0; band < BANDS; band++)
    {
        const int64_t gain = ((int64_t)output[band] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
        mask[band] = {{ name }}_saturated((gain < {{ NAME }}_SMALLEST_GAIN) ? {{ NAME }}_SMALLEST_GAIN : gain);
    }
}

/* Multiply a number by a gain, and halve it, so that a gain of up to 2 does not overflow. */
static void attenuate(int32_t *value, int64_t gain)
{
    *value = {{ name }}_saturated({{ name }}_scaled_down(*value * gain, GAIN_BITS + 1));
}

/* Multiply the spectrum by the mask, which is spread over the bins, and halve it. */
static void apply_mask(void)
{
    const int32_t *weights = {{ name }}_spread_weights;
    for (int bin = 0; bin < BINS; bin++)
    {
        const int32_t *first = &mask[{{ name }}_spread_first[bin]];
        int64_t gain = 0;
        for (int place = 0; place < (int){{ name }}_spread_lengths[bin]; place++)
        {
            gain += {{ name }}_scaled_down((int64_t)weights[place] * first[place], WINDOW_BITS);
        }
        weights += {{ name }}_spread_lengths[bin];
        if (bin == 0)
        {
            attenuate(&frame[0], gain);
        }
        else if (bin == HOP)
        {
            attenuate(&frame[1], gain);
        }
        else
        {
            attenuate(&frame[2 * bin], gain);
            attenuate(&frame[2 * bin + 1], gain);
        }
    }
}

/* Return a sample of the frame behind its window. */
static int64_t windowed(int place)
{
    /* The spectrum was halved and divided by FRAME, the inverse halves once more. */
    const int64_t product = (int64_t)frame[place] * {{ name }}_synthesis_window[place];
    return {{ name }}_scaled_down(product, WINDOW_BITS + exponent - {{ NAME }}_FRAME_BITS - 2);
}

/* Add the frame to the one before, and give the hop that is complete now. */
static void synthesise(int16_t out[HOP])
{
    exponent += {{ name }}_normalise(frame, FRAME);
    {{ name }}_inverse_fft(frame);
    for (int place = 0; place < HOP; place++)
    {
        int64_t sample = {{ name }}_scaled_down(tail[place] + windowed(place), SAMPLE_BITS);
        sample = (sample < INT16_MIN) ? INT16_MIN : sample;
        out[place] = (int16_t)((sample > INT16_MAX) ? INT16_MAX : sample);
        tail[place] = {{ name }}_saturated(windowed(HOP + place));
    }
}

int {{ name }}_process(const int16_t in[HOP], int16_t out[HOP])
{
    int result;
    condition(in);
    analyse();
    /* "before" is this hop now. */
    set_features(log_gain_of_hop());
    result = {{ name }}_npu_run();
    if (result == 0)
    {
        get_mask();
        apply_mask();
        synthesise(out);
    }
    else
    {
        (void)memset(tail, 0, sizeof(tail));
        (void)memset(out, 0, sizeof(int16_t) * (size_t)HOP);
    }
    return result;
}
