{% set title = "Fixed-point numbers: scaling, roots, logarithms and powers in 32 bits." %}
{% include "banner.txt" %}

#include "{{ name }}_fixed.h"

#include "{{ name }}_tables.h"

#define FRACTION 24 /* bits of logarithms{{ " and powers" if tables.has("powers") }} */
#define STEP_BITS 8 /* a table has 2^8 steps and its end */
{% if tables.has("powers") %}
#define REST_BITS (FRACTION - STEP_BITS)
#define POWER_BITS 30 /* of the table of powers */
{% endif %}
#define LARGEST_BITS 30

int64_t {{ name }}_scaled_down(int64_t value, int bits)
{
    if (bits > 62)
    {
        return 0;
    }
    return (bits == 0) ? value : ((value >> (bits - 1)) + 1) >> 1;
}

int32_t {{ name }}_saturated(int64_t value)
{
    if (value > INT32_MAX)
    {
        return INT32_MAX;
    }
    return (value < INT32_MIN) ? INT32_MIN : (int32_t)value;
}

int8_t {{ name }}_int8(int64_t value)
{
    if (value > INT8_MAX)
    {
        return INT8_MAX;
    }
    return (value < INT8_MIN) ? INT8_MIN : (int8_t)value;
}

/* Return the number of bits up to the highest that is set. */
static int bits_of(uint64_t value)
{
    int bits = 0;
    for (int step = 32; step > 0; step /= 2)
    {
        if ((value >> step) != 0u)
        {
            value >>= step;
            bits += step;
        }
    }
    return bits + (int)value;
}

int {{ name }}_normalise(int32_t values[], int count)
{
    uint32_t set = 0u;
    int exponent;
    for (int place = 0; place < count; place++)
    {
        const int64_t value = values[place];
        set |= (uint32_t)((value < 0) ? -value : value);
    }
    exponent = LARGEST_BITS - bits_of(set);
    for (int place = 0; place < count; place++)
    {
        values[place] = (exponent >= 0) ? values[place] * (int32_t)(1u << exponent)
                                        : (int32_t){{ name }}_scaled_down(values[place], -exponent);
    }
    return exponent;
}

uint32_t {{ name }}_root(uint64_t value)
{
    uint64_t bit = (uint64_t)1u << (2 * ((bits_of(value) - 1) / 2));
    uint64_t root = 0u;
    while (bit != 0u)
    {
        if (value >= root + bit)
        {
            value -= root + bit;
            root = (root >> 1) + bit;
        }
        else
        {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint32_t)root;
}

/* Return the number between two of a table, with a rest of some bits. */
static int64_t between(int64_t low, int64_t high, int64_t rest, int bits)
{
    return low + (((high - low) * rest) >> bits);
}

int32_t {{ name }}_log2(uint64_t value)
{
    const int exponent = bits_of(value) - 1;
    const uint64_t fraction = (value << (63 - exponent)) << 1; /* of 64 bits, without the leading one */
    const uint32_t step = (uint32_t)(fraction >> (64 - STEP_BITS));
    const int64_t rest = (int64_t)((fraction << STEP_BITS) >> 40);
    const int64_t part = between({{ name }}_logarithms[step], {{ name }}_logarithms[step + 1u], rest, 24);
    return (int32_t)(exponent * (int64_t)(1 << FRACTION) + part);
}
{% if tables.has("powers") %}

int32_t {{ name }}_exp2(int64_t value)
{
    const int64_t exponent = value >> FRACTION;
    const int64_t fraction = value - exponent * (1 << FRACTION);
    const uint32_t step = (uint32_t)(fraction >> REST_BITS);
    const int64_t rest = fraction & ((1 << REST_BITS) - 1);
    const int64_t power = between({{ name }}_powers[step], {{ name }}_powers[step + 1u], rest, REST_BITS);
    if (exponent > POWER_BITS - FRACTION)
    {
        return INT32_MAX;
    }
    if (exponent < POWER_BITS - FRACTION - 62)
    {
        return 0;
    }
    return {{ name }}_saturated({{ name }}_scaled_down(power, POWER_BITS - FRACTION - (int)exponent));
}
{% endif %}
