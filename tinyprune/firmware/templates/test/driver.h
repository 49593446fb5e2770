/* A stand-in for the NPU: it checks what it is given, and answers with what was recorded. */

#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

/* Numbers of a network's input that were a step off what was recorded, and calls that were refused. */
struct driver_findings
{
    long steps_off;
    long numbers;
    int refused;
};

/* Return what was found so far. */
struct driver_findings driver_findings(void);

/* Say that the network is reset before the next call. */
void driver_expect_reset(void);

#endif
