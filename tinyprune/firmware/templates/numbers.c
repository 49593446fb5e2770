{% set title = "The ends of a network on numbers: from numbers to integers and back." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "{{ name }}_npu.h"
#include "{{ name }}_tables.h"

#include <math.h>
#include <string.h>
{% include "class_names.c" %}

int {{ name }}_reset(void)
{
    return {{ name }}_npu_reset();
}
{% for end in model.inputs %}
{% set END = NAME ~ "_" ~ (end.name | upper) %}

static void set_{{ end.name }}(const float {{ end.name }}[{{ END }}_NUMBERS])
{
    for (int place = 0; place < {{ END }}_NUMBERS; place++)
    {
        double value = (double){{ end.name }}[place];
        {{ end.c_type }} integer;
{% if end.name in tables.normalised %}
        const int feature = place % {{ END }}_FEATURES;
        value = (value - {{ name }}_{{ end.name }}_mean[feature]) / {{ name }}_{{ end.name }}_std[feature];
{% endif %}
        value = rint((double)((float)value / {{ END }}_SCALE)) + (double){{ END }}_ZERO_POINT;
        integer = ({{ end.c_type }})fmin(fmax(value, {{ end.least }}.0), {{ end.most }}.0);
        (void)memcpy(&{{ name }}_arena[{{ END }}_OFFSET + (uint32_t)place * sizeof(integer)], &integer,
                     sizeof(integer));
    }
}
{% endfor %}
{% for end in model.outputs %}
{% set END = NAME ~ "_" ~ (end.name | upper) %}

static void get_{{ end.name }}(float {{ end.name }}[{{ END }}_NUMBERS])
{
    for (int place = 0; place < {{ END }}_NUMBERS; place++)
    {
        {{ end.c_type }} integer;
        float value;
        (void)memcpy(&integer, &{{ name }}_arena[{{ END }}_OFFSET + (uint32_t)place * sizeof(integer)],
                     sizeof(integer));
        value = ((float)integer - {{ END }}_ZERO_POINT) * {{ END }}_SCALE;
{% if end.name in tables.normalised %}
        {{ end.name }}[place] = (float)((double)value * {{ name }}_{{ end.name }}_std[place % {{ END }}_FEATURES] +
                                   {{ name }}_{{ end.name }}_mean[place % {{ END }}_FEATURES]);
{% else %}
        {{ end.name }}[place] = value;
{% endif %}
    }
}
{% endfor %}

int {{ name }}_process({% for end in model.inputs %}const float {{ end.name }}[{{ NAME }}_{{ end.name | upper }}_NUMBERS], {% endfor %}{% for end in model.outputs %}float {{ end.name }}[{{ NAME }}_{{ end.name | upper }}_NUMBERS]{{ "" if loop.last else ", " }}{% endfor %})
{
    int result;
{% for end in model.inputs %}
    set_{{ end.name }}({{ end.name }});
{% endfor %}
    result = {{ name }}_npu_run();
    if (result == 0)
    {
{% for end in model.outputs %}
        get_{{ end.name }}({{ end.name }});
{% endfor %}
    }
    return result;
}
