{% set title = "The sources against the golden vectors, with recorded answers of the NPU." %}
{% include "banner.txt" %}

#include "driver.h"
#include "golden.h"
#include "vectors.h"
#ifdef MEASURE_STACK
#include "stack.h"
#endif

#include <stddef.h>
#include <stdio.h>

int main(void)
{
#ifdef MEASURE_STACK
    const struct golden_hooks hooks = { driver_expect_reset, stack_paint, stack_look };
#else
    const struct golden_hooks hooks = { driver_expect_reset, NULL, NULL };
#endif
    const struct golden_findings golden = golden_run(&hooks);
    const struct driver_findings driver = driver_findings();
    const int is_right = golden_is_right(&golden) && (driver.refused == 0) &&
                         (driver.steps_off <= driver.numbers / 1000);
    (void)printf("%d calls: %ld of %ld integers into the network a step off, %ld of %ld numbers out of it off%s\n",
                 VECTOR_CALLS, driver.steps_off, driver.numbers, golden.off, golden.numbers,
                 is_right ? "" : " or too far");
#ifdef MEASURE_STACK
    (void)printf("stack of a call, without Arm's driver: %ld bytes\n", stack_used());
#endif
    (void)printf(is_right ? "passed\n" : "FAILED\n");
    return is_right ? 0 : 1;
}
