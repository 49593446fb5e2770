{% set title = "The golden vectors through the sources." %}
{% include "banner.txt" %}

#include "golden.h"

#include "{{ name }}.h"

#include "vectors.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

{% for array in golden.made %}
static {{ array.c_type }} {{ array.name }}[{{ array.length }}];
{% endfor %}
{% for array in golden.made %}

static void compare_{{ array.name }}(int call, struct golden_findings *findings)
{
    for (int place = 0; place < {{ array.length }}; place++)
    {
        const double difference = fabs((double){{ array.name }}[place] - (double)vector_{{ array.name }}[call][place]);
        findings->off += (difference > {{ "0.0" if golden.is_integer else "VECTOR_TOLERANCE" }}) ? 1 : 0;
        findings->largest = fmax(findings->largest, difference);
        findings->numbers++;
    }
}
{% endfor %}

static void run_hook(void (*hook)(void))
{
    if (hook != NULL)
    {
        hook();
    }
}

/* Run a call, after a reset where one was recorded. Returns 0, or what failed. */
static int run_call(int call, const struct golden_hooks *hooks)
{
    int result = 0;
    if (vector_resets[call] != 0u)
    {
        result = {{ name }}_reset();
        run_hook(hooks->after_reset);
    }
    if (result == 0)
    {
        run_hook(hooks->before_call);
        result = {{ name }}_process({% for array in golden.given %}vector_{{ array.name }}[call], {% endfor %}{% for array in golden.made %}{{ array.name }}{{ "" if loop.last else ", " }}{% endfor %});
        run_hook(hooks->after_call);
    }
    return result;
}

struct golden_findings golden_run(const struct golden_hooks *hooks)
{
    struct golden_findings findings = { 0, 0, 0, 0.0 };
    for (int call = 0; (call < VECTOR_CALLS) && (findings.result == 0); call++)
    {
        findings.result = run_call(call, hooks);
        if (findings.result != 0)
        {
            (void)printf("call %d returned %d\n", call, findings.result);
        }
        else
        {
{% for array in golden.made %}
            compare_{{ array.name }}(call, &findings);
{% endfor %}
        }
    }
    return findings;
}

int golden_is_right(const struct golden_findings *findings)
{
    return (findings->result == 0) && (findings->largest <= VECTOR_TOLERANCE) &&
           (findings->off <= findings->numbers / 100);
}
