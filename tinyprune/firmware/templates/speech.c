{% set title = "The front end of a denoiser: from samples to features, and from its mask to samples." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fft.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_tables.h"

#include <math.h>
#include <string.h>

#define HOP {{ NAME }}_HOP
#define FRAME (2 * HOP)
#define BINS (HOP + 1)
#define BANDS {{ NAME }}_BANDS
#define FULL_SCALE 32768.0f

/* What is kept from hop to hop. */
static float before[HOP]; /* conditioned samples of the hop before */
static float tail[HOP];   /* second half of the frame that was synthesised last */
{% if record.dc_pole %}
static double last_input;
static double last_output;
static int is_started;
{% endif %}
{% if record.usual_dbfs is not none %}
static double level; /* the power that is followed */
{% endif %}

/* What is used within a call. */
static float frame[FRAME];
static float magnitudes[BINS];
static float mask[BANDS];

int {{ name }}_reset(void)
{
    (void)memset(before, 0, sizeof(before));
    (void)memset(tail, 0, sizeof(tail));
{% if record.dc_pole %}
    last_input = 0.0;
    last_output = 0.0;
    is_started = 0;
{% endif %}
{% if record.usual_dbfs is not none %}
    level = 0.0;
{% endif %}
    return {{ name }}_npu_reset();
}

/* Put the hop before and this one into the frame, the latter conditioned. */
static void condition(const int16_t in[HOP])
{
    float *samples = &frame[HOP];
    (void)memcpy(frame, before, sizeof(before));
    for (int place = 0; place < HOP; place++)
    {
        samples[place] = (float)in[place] / FULL_SCALE;
    }
{% if record.dc_pole %}
    if (is_started == 0)
    {
        /* The signal starts as if it had been at the mean of its first hop for ever. */
        double sum = 0.0;
        for (int place = 0; place < HOP; place++)
        {
            sum += (double)samples[place];
        }
        last_input = sum / (double)HOP;
        is_started = 1;
    }
    for (int place = 0; place < HOP; place++)
    {
        const double input = (double)samples[place];
        last_output = input - last_input + {{ NAME }}_DC_POLE * last_output;
        last_input = input;
        samples[place] = (float)last_output;
    }
{% endif %}
    (void)memcpy(before, samples, sizeof(before));
}

/* Return what the magnitudes are multiplied by, so that quiet speech is as loud as that of the training. */
static float gain_of_hop(void)
{
{% if record.usual_dbfs is not none %}
    double power = 0.0;
    double gain;
    for (int place = 0; place < HOP; place++)
    {
        power += (double)before[place] * (double)before[place];
    }
    power /= (double)HOP;
    level = fmax(fmax(power, {{ NAME }}_LEVEL_DECAY * level), {{ NAME }}_LEAST_POWER);
    gain = sqrt({{ NAME }}_USUAL_POWER / level);
    return (float)fmin(fmax(gain, 1.0), {{ NAME }}_MOST_GAIN);
{% else %}
    return 1.0f;
{% endif %}
}

/* Leave the spectrum of the windowed frame in its place, and its magnitudes beside it. */
static void analyse(void)
{
    for (int place = 0; place < FRAME; place++)
    {
        frame[place] *= {{ name }}_analysis_window[place];
    }
    {{ name }}_fft(frame);
    magnitudes[0] = fabsf(frame[0]);
    magnitudes[HOP] = fabsf(frame[1]);
    for (int bin = 1; bin < HOP; bin++)
    {
        const float real = frame[2 * bin];
        const float imaginary = frame[2 * bin + 1];
        magnitudes[bin] = sqrtf(real * real + imaginary * imaginary);
    }
}

/* Give the network the mel bands of the magnitudes, as it has learned them. */
static void set_features(float gain)
{
    int8_t *input = (int8_t *)&{{ name }}_arena[{{ NAME }}_INPUT_OFFSET];
    const float *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const float *first = &magnitudes[{{ name }}_mel_first[band]];
        float sum = 0.0f;
        float feature;
        for (int place = 0; place < (int){{ name }}_mel_lengths[band]; place++)
        {
            sum += weights[place] * first[place];
        }
        weights += {{ name }}_mel_lengths[band];
        feature = (powf(sum * gain, {{ NAME }}_POWER) - {{ name }}_mean[band]) / {{ name }}_std[band];
        feature = rintf(feature / {{ NAME }}_INPUT_SCALE) + {{ NAME }}_INPUT_ZERO_POINT;
        input[band] = (int8_t)fminf(fmaxf(feature, -128.0f), 127.0f);
    }
}

/* Read the mask of the network. */
static void get_mask(void)
{
    const int8_t *output = (const int8_t *)&{{ name }}_arena[{{ NAME }}_OUTPUT_OFFSET];
    for (int band = 0; band < BANDS; band++)
    {
        const float gain = ((float)output[band] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
        mask[band] = fmaxf(gain, {{ NAME }}_SMALLEST_GAIN);
    }
}

/* Multiply the spectrum by the mask, which is spread over the bins. */
static void apply_mask(void)
{
    const float *weights = {{ name }}_spread_weights;
    for (int bin = 0; bin < BINS; bin++)
    {
        const float *first = &mask[{{ name }}_spread_first[bin]];
        float gain = 0.0f;
        for (int place = 0; place < (int){{ name }}_spread_lengths[bin]; place++)
        {
            gain += weights[place] * first[place];
        }
        weights += {{ name }}_spread_lengths[bin];
        if (bin == 0)
        {
            frame[0] *= gain;
        }
        else if (bin == HOP)
        {
            frame[1] *= gain;
        }
        else
        {
            frame[2 * bin] *= gain;
            frame[2 * bin + 1] *= gain;
        }
    }
}

/* Add the frame to the one before, and give the hop that is complete now. */
static void synthesise(int16_t out[HOP])
{
    {{ name }}_inverse_fft(frame);
    for (int place = 0; place < HOP; place++)
    {
        const float sample = tail[place] + frame[place] * {{ name }}_synthesis_window[place];
        const float rounded = rintf(sample * FULL_SCALE);
        out[place] = (int16_t)fminf(fmaxf(rounded, -FULL_SCALE), FULL_SCALE - 1.0f);
        tail[place] = frame[HOP + place] * {{ name }}_synthesis_window[HOP + place];
    }
}

int {{ name }}_process(const int16_t in[HOP], int16_t out[HOP])
{
    int result;
    condition(in);
    analyse();
    /* "before" is this hop now. */
    set_features(gain_of_hop());
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
