{% set title = "Fixed-point numbers: scaling, roots, logarithms and powers in 32 bits." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_FIXED_H
#define {{ NAME }}_FIXED_H

#include <stdint.h>

/*
 * "Qn" is an integer of 2^-n. Numbers are two's complement and >> keeps their sign, which C leaves to the
 * compiler, and those for Arm and for PCs do.
 */

/* Return value / 2^bits, rounded; 0 from 63 bits on, where nothing is left. */
int64_t {{ name }}_scaled_down(int64_t value, int bits);

/* Return the nearest number of 32 bits. */
int32_t {{ name }}_saturated(int64_t value);

/* Return the nearest number of 8 bits. */
int8_t {{ name }}_int8(int64_t value);

/* Multiply numbers by the power of two that brings the largest to [2^29, 2^30). Returns its exponent. */
int {{ name }}_normalise(int32_t values[], int count);

/* Return the square root, rounded down. */
uint32_t {{ name }}_root(uint64_t value);

/* Return the base-2 logarithm of a positive integer in Q24. */
int32_t {{ name }}_log2(uint64_t value);
{% if tables.has("powers") %}

/* Return 2 to the power of a number in Q24, in Q24, at most INT32_MAX. */
int32_t {{ name }}_exp2(int64_t value);
{% endif %}

#endif
