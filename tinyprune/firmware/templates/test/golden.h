/* The golden vectors through the sources: how far what comes out is off. */

#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

/* What is done between the calls; NULL for nothing. */
struct golden_hooks
{
    void (*after_reset)(void);
    void (*before_call)(void);
    void (*after_call)(void);
};

/* What the call that failed returned, or 0; numbers that came out, and those that are not what was recorded. */
struct golden_findings
{
    int result;
    long numbers;
    long off;
    double largest;
};

/* Run all calls up to one that fails, which is printed. */
struct golden_findings golden_run(const struct golden_hooks *hooks);

/* Return whether all calls were made, and few numbers are off by a little. */
int golden_is_right(const struct golden_findings *findings);

#endif
