{% set title = "The front end of anomaly detection: from samples to levels of mel bands, and to the error." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fft.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_tables.h"

#include <math.h>

#define FFT {{ NAME }}_FFT
#define HOP {{ NAME }}_HOP
#define FRAMES {{ record.frames }}
#define BANDS {{ NAME }}_BANDS
#define FEATURES (FRAMES * BANDS)
#define FULL_SCALE 32768.0f

static float frame[FFT];
static float powers[FFT / 2 + 1];
static float features[FEATURES];

int {{ name }}_reset(void)
{
    return {{ name }}_npu_reset();
}

/* Leave the powers of the windowed samples. */
static void analyse(const int16_t samples[FFT])
{
    for (int place = 0; place < FFT; place++)
    {
        frame[place] = (float)samples[place] / FULL_SCALE * {{ name }}_analysis_window[place];
    }
    {{ name }}_fft(frame);
    powers[0] = frame[0] * frame[0];
    powers[FFT / 2] = frame[1] * frame[1];
    for (int bin = 1; bin < FFT / 2; bin++)
    {
        const float real = frame[2 * bin];
        const float imaginary = frame[2 * bin + 1];
        powers[bin] = real * real + imaginary * imaginary;
    }
}

/* Set the features of a frame: normalised levels of the mel bands, in dB. */
static void set_features(float own[BANDS])
{
    const float *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const float *first = &powers[{{ name }}_mel_first[band]];
        float sum = 0.0f;
        float level;
        for (int place = 0; place < (int){{ name }}_mel_lengths[band]; place++)
        {
            sum += weights[place] * first[place];
        }
        weights += {{ name }}_mel_lengths[band];
        level = 10.0f * log10f(fmaxf(sum, {{ NAME }}_SMALLEST_POWER));
        own[band] = (level - {{ name }}_mean[band]) / {{ name }}_std[band];
    }
}

static void set_input(void)
{
    int8_t *input = (int8_t *)&{{ name }}_arena[{{ NAME }}_INPUT_OFFSET];
    for (int place = 0; place < FEATURES; place++)
    {
        const float integer = rintf(features[place] / {{ NAME }}_INPUT_SCALE) + {{ NAME }}_INPUT_ZERO_POINT;
        input[place] = (int8_t)fminf(fmaxf(integer, -128.0f), 127.0f);
    }
}

/* Return the mean squared difference of the features and what the network gives back. */
static float error_of_output(void)
{
    const int8_t *output = (const int8_t *)&{{ name }}_arena[{{ NAME }}_OUTPUT_OFFSET];
    double sum = 0.0;
    for (int place = 0; place < FEATURES; place++)
    {
        const float given_back = ((float)output[place] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
        const double difference = (double)features[place] - (double)given_back;
        sum += difference * difference;
    }
    return (float)(sum / (double)FEATURES);
}

int {{ name }}_process(const int16_t window[{{ NAME }}_SAMPLES], float error[1])
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
