{% set title = "A denoiser: hops of noisy speech in, hops of clean speech out." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_H
#define {{ NAME }}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

#define {{ NAME }}_SAMPLE_RATE {{ record.sample_rate }}
#define {{ NAME }}_HOP {{ record.hop }} /* samples per call */
#define {{ NAME }}_LATENCY {{ record.latency_samples }} /* samples, from one that goes in until it comes out enhanced */

{% include "network_facts.h" %}

/*
 * Forget the past: call it before the first hop, and between two recordings. Returns 0, or
 * {{ NAME }}_MISALIGNED where the linker has put an array at a place that the NPU cannot read.
 */
int {{ name }}_reset(void);

/*
 * Take a hop of samples and give the one before it, enhanced. Returns 0, or what the driver returned; then
 * the hop that comes out is silence.
 */
int {{ name }}_process(const int16_t in[{{ NAME }}_HOP], int16_t out[{{ NAME }}_HOP]);

#ifdef __cplusplus
}
#endif

#endif
