{% set title = "The sources against the golden vectors." %}
{% include "banner.txt" %}

#include "{{ name }}.h"

#include "driver.h"
#include "vectors.h"
#ifdef MEASURE_STACK
#include "stack.h"
#endif

#include <math.h>
#include <stdio.h>

{% for array in golden.made %}
static {{ array.c_type }} {{ array.name }}[{{ array.length }}];
{% endfor %}
static long numbers;
static long off;
static double largest;
#ifdef MEASURE_STACK
static long stack;
#endif
{% for array in golden.made %}

static void compare_{{ array.name }}(int call)
{
    for (int place = 0; place < {{ array.length }}; place++)
    {
        const double difference = fabs((double){{ array.name }}[place] - (double)vector_{{ array.name }}[call][place]);
        off += (difference > 0.0) ? 1 : 0;
        largest = fmax(largest, difference);
        numbers++;
    }
}
{% endfor %}

/* Run all calls. Returns 0, or what the first one that failed returned. */
static int run(void)
{
    for (int call = 0; call < VECTOR_CALLS; call++)
    {
        int result = 0;
        if (vector_resets[call] != 0u)
        {
            result = {{ name }}_reset();
            driver_expect_reset();
        }
        if (result == 0)
        {
#ifdef MEASURE_STACK
            stack_paint();
#endif
            result = {{ name }}_process({% for array in golden.given %}vector_{{ array.name }}[call], {% endfor %}{% for array in golden.made %}{{ array.name }}{{ "" if loop.last else ", " }}{% endfor %});
#ifdef MEASURE_STACK
            stack = (stack_used() > stack) ? stack_used() : stack;
#endif
        }
        if (result != 0)
        {
            (void)printf("call %d returned %d\n", call, result);
            return result;
        }
{% for array in golden.made %}
        compare_{{ array.name }}(call);
{% endfor %}
    }
    return 0;
}

int main(void)
{
    const int result = run();
    const struct driver_findings findings = driver_findings();
    const int is_right = (result == 0) && (findings.refused == 0) && (largest <= VECTOR_TOLERANCE) &&
                         (off <= numbers / 100) && (findings.steps_off <= findings.numbers / 1000);
    (void)printf("%d calls: %ld of %ld integers into the network a step off, %ld of %ld numbers out of it off%s\n",
                 VECTOR_CALLS, findings.steps_off, findings.numbers, off, numbers,
                 is_right ? "" : " or too far");
#ifdef MEASURE_STACK
    (void)printf("stack of a call, without Arm's driver: %ld bytes\n", stack);
#endif
    (void)printf(is_right ? "passed\n" : "FAILED\n");
    return is_right ? 0 : 1;
}
