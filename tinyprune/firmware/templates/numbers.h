{% set title = "A network on numbers: an example in, its outputs out." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_H
#define {{ NAME }}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

{% for end in model.inputs + model.outputs %}
#define {{ NAME }}_{{ end.name | upper }}_NUMBERS {{ end.elements }} /* of shape {{ end.shape_text }} */
{% endfor %}

{% include "network_facts.h" %}
{% if class_names %}

/* The classes, in the order of their scores. */
extern const char *const {{ name }}_class_names[{{ class_names | length }}];
{% endif %}

/*
 * Call it before the first example{% if model.states or model.contexts %}, and where the past is to be forgotten{% endif %}. Returns 0, or {{ NAME }}_MISALIGNED where the linker has put an
 * array at a place that the NPU cannot read.
 */
int {{ name }}_reset(void);

/*
 * Compute the outputs of an example{{ normalisation_in_words }}.
 * Returns 0, or what the driver returned; then no output is set.
 */
int {{ name }}_process({% for end in model.inputs %}const float {{ end.name }}[{{ NAME }}_{{ end.name | upper }}_NUMBERS], {% endfor %}{% for end in model.outputs %}float {{ end.name }}[{{ NAME }}_{{ end.name | upper }}_NUMBERS]{{ "" if loop.last else ", " }}{% endfor %});

#ifdef __cplusplus
}
#endif

#endif
