{% set title = "Keyword spotting: a clip in, a score for each class out." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_H
#define {{ NAME }}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

#define {{ NAME }}_SAMPLE_RATE {{ record.sample_rate }}
#define {{ NAME }}_SAMPLES {{ record.samples }} /* of a clip */
#define {{ NAME }}_SCORES {{ model.outputs[0].elements }}
{% if is_fixed %}
#define {{ NAME }}_SCORE_BITS 16 /* behind the point of a score: 65536 is 1 */
{% endif %}

{% include "network_facts.h" %}
{% if class_names %}

/* The classes, in the order of their scores. */
extern const char *const {{ name }}_class_names[{{ NAME }}_SCORES];
{% endif %}

/*
 * Call it before the first clip. Returns 0, or {{ NAME }}_MISALIGNED where the linker has put an array at a
 * place that the NPU cannot read.
 */
int {{ name }}_reset(void);

/* Give the score of each class for a clip. Returns 0, or what the driver returned; then no score is set. */
int {{ name }}_process(const int16_t clip[{{ NAME }}_SAMPLES], {{ "int32_t" if is_fixed else "float" }} scores[{{ NAME }}_SCORES]);

#ifdef __cplusplus
}
#endif

#endif
