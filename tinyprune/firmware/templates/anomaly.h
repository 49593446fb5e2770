{% set title = "Anomaly detection: a window of sound in, the error of its reconstruction out." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_H
#define {{ NAME }}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

#define {{ NAME }}_SAMPLE_RATE {{ record.sample_rate }}
#define {{ NAME }}_SAMPLES {{ record.samples }} /* of a window */
#define {{ NAME }}_HOP {{ record.hop }} /* samples from the beginning of a window to that of the next */
{% if is_fixed %}
#define {{ NAME }}_ERROR_BITS 16 /* behind the point of an error: 65536 is 1 */
{% endif %}

{% include "network_facts.h" %}

/*
 * Call it before the first window. Returns 0, or {{ NAME }}_MISALIGNED where the linker has put an array at a
 * place that the NPU cannot read.
 */
int {{ name }}_reset(void);

/*
 * Give the mean squared error of what the network gives back, in error[0]: what it gives back badly is
 * anomalous. That of a recording is the mean over its windows. Returns 0, or what the driver returned; then
 * no error is set.
 */
int {{ name }}_process(const int16_t window[{{ NAME }}_SAMPLES], {{ "int32_t" if is_fixed else "float" }} error[1]);

#ifdef __cplusplus
}
#endif

#endif
