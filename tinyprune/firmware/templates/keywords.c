{% set title = "The front end of keyword spotting: from samples to mel-frequency cepstral coefficients." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_fft.h"
#include "{{ name }}_npu.h"
#include "{{ name }}_tables.h"

#include <math.h>

#define FFT {{ NAME }}_FFT
#define WINDOW {{ record.window }}
#define STRIDE {{ record.stride }}
#define FRAMES {{ record.frames }}
#define BANDS {{ NAME }}_BANDS
#define COEFFICIENTS {{ NAME }}_COEFFICIENTS
#define FULL_SCALE 32768.0f

static float frame[FFT];
static float magnitudes[FFT / 2 + 1];
static float levels[BANDS]; /* logarithms of the mel bands */
{% include "class_names.c" %}

int {{ name }}_reset(void)
{
    return {{ name }}_npu_reset();
}

/* Leave the magnitudes of the windowed samples. */
static void analyse(const int16_t samples[WINDOW])
{
    for (int place = 0; place < FFT; place++)
    {
        frame[place] = 0.0f;
    }
    for (int place = 0; place < WINDOW; place++)
    {
        frame[place] = (float)samples[place] / FULL_SCALE * {{ name }}_analysis_window[place];
    }
    {{ name }}_fft(frame);
    magnitudes[0] = fabsf(frame[0]);
    magnitudes[FFT / 2] = fabsf(frame[1]);
    for (int bin = 1; bin < FFT / 2; bin++)
    {
        const float real = frame[2 * bin];
        const float imaginary = frame[2 * bin + 1];
        magnitudes[bin] = sqrtf(real * real + imaginary * imaginary);
    }
}

/* Leave the logarithms of the mel bands. */
static void set_levels(void)
{
    const float *weights = {{ name }}_mel_weights;
    for (int band = 0; band < BANDS; band++)
    {
        const float *first = &magnitudes[{{ name }}_mel_first[band]];
        float sum = 0.0f;
        for (int place = 0; place < (int){{ name }}_mel_lengths[band]; place++)
        {
            sum += weights[place] * first[place];
        }
        weights += {{ name }}_mel_lengths[band];
        levels[band] = logf(sum + {{ NAME }}_LOG_OFFSET);
    }
}

/* Give the network the coefficients of a frame, as it has learned them. */
static void set_coefficients(int8_t input[COEFFICIENTS])
{
    for (int coefficient = 0; coefficient < COEFFICIENTS; coefficient++)
    {
        const float *weights = &{{ name }}_dct[coefficient * BANDS];
        float sum = 0.0f;
        float feature;
        for (int band = 0; band < BANDS; band++)
        {
            sum += weights[band] * levels[band];
        }
        feature = (sum - {{ name }}_mean[coefficient]) / {{ name }}_std[coefficient];
        feature = rintf(feature / {{ NAME }}_INPUT_SCALE) + {{ NAME }}_INPUT_ZERO_POINT;
        input[coefficient] = (int8_t)fminf(fmaxf(feature, -128.0f), 127.0f);
    }
}

int {{ name }}_process(const int16_t clip[{{ NAME }}_SAMPLES], float scores[{{ NAME }}_SCORES])
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
            scores[score] = ((float)output[score] - {{ NAME }}_OUTPUT_ZERO_POINT) * {{ NAME }}_OUTPUT_SCALE;
        }
    }
    return result;
}
