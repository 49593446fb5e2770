/* A stand-in for the NPU: it checks what it is given, and answers with what was recorded. */

#include "driver.h"

{% if runtime == "driver" %}
#include "ethosu_driver.h"
{% else %}
#include "{{ name }}_npu.h"
{% endif %}
#include "vectors.h"

#include <stdio.h>
#include <string.h>

{% if runtime == "driver" %}
struct ethosu_driver
{
    int is_reserved;
};

static struct ethosu_driver driver;
static int is_reset = 1;
{% endif %}
static struct driver_findings findings;
static int call;
{% if model.states %}
static uint8_t kept[VECTOR_STATE_BYTES];
{% endif %}

struct driver_findings driver_findings(void)
{
    return findings;
}

{% if runtime == "tflm" %}
uint8_t {{ name }}_arena[{{ NAME }}_ARENA_SIZE];

void driver_expect_reset(void)
{
}
{% else %}
void driver_expect_reset(void)
{
    is_reset = 1;
}

struct ethosu_driver *ethosu_reserve_driver(void)
{
    driver.is_reserved++;
    return &driver;
}

void ethosu_release_driver(struct ethosu_driver *released)
{
    released->is_reserved--;
}

{% endif %}
static int refuse(const char *reason)
{
    (void)printf("call %d: %s\n", call, reason);
    findings.refused++;
    return -1;
}

{% if runtime == "driver" %}
/* Fowler, Noll and Vo's hash of 32 bits. */
static uint32_t digest(const uint8_t *bytes, size_t count)
{
    uint32_t value = 2166136261u;
    for (size_t place = 0u; place < count; place++)
    {
        value = (value ^ bytes[place]) * 16777619u;
    }
    return value;
}

static int is_aligned(uint64_t address)
{
    return (address % 16u) == 0u;
}
{% endif %}

/* Return the number of a network's end: its type is in the low bytes. */
static int32_t number_at(const uint8_t *bytes, uint32_t element_bytes, int is_signed)
{
    int32_t number = (int32_t)bytes[0];
    if (element_bytes == 2u)
    {
        int16_t wide;
        (void)memcpy(&wide, bytes, sizeof(wide));
        number = (int32_t)wide;
    }
    else if (is_signed != 0)
    {
        number = (int32_t)(int8_t)bytes[0];
    }
    return number;
}

/* Return whether a number of an input is what was recorded, up to a step; what is a step off is counted. */
static int are_inputs_right(const uint8_t *arena)
{
    const uint8_t *recorded = vector_npu_inputs[call];
    for (size_t end = 0u; end < VECTOR_INPUTS; end++)
    {
        const struct vector_end *input = &vector_inputs[end];
        for (uint32_t place = 0u; place < input->bytes; place += input->element_bytes)
        {
            const int32_t found = number_at(&arena[input->offset + place], input->element_bytes, input->is_signed);
            const int32_t expected = number_at(&recorded[place], input->element_bytes, input->is_signed);
            if ((found > expected + 1) || (found < expected - 1))
            {
                return 0;
            }
            findings.steps_off += (found != expected) ? 1 : 0;
            findings.numbers++;
        }
        recorded = &recorded[input->bytes];
    }
    return 1;
}

static void answer(uint8_t *arena)
{
    const uint8_t *recorded = vector_npu_outputs[call];
    for (size_t end = 0u; end < VECTOR_OUTPUTS; end++)
    {
        (void)memcpy(&arena[vector_outputs[end].offset], recorded, vector_outputs[end].bytes);
        recorded = &recorded[vector_outputs[end].bytes];
    }
}
{% if model.states %}

/* Return whether states are as they were left, or as a reset sets them; then leave something else there. */
static int are_states_right(uint8_t *arena)
{
    uint32_t place = 0u;
    for (size_t number = 0u; number < VECTOR_STATES; number++)
    {
        const struct vector_end *state = &vector_states[number];
        const uint8_t *expected = (is_reset != 0) ? &vector_reset_states[place] : &kept[place];
        if (memcmp(&arena[state->offset], expected, state->bytes) != 0)
        {
            return 0;
        }
        for (uint32_t byte = 0u; byte < state->bytes; byte++)
        {
            kept[place + byte] = (uint8_t)(31u * (uint32_t)call + byte + 1u);
            arena[state->offset + byte] = kept[place + byte];
        }
        place += state->bytes;
    }
    return 1;
}
{% endif %}

{% if runtime == "tflm" %}
int {{ name }}_npu_reset(void)
{
{% for context in model.contexts %}
    for (int place = 0; place < {{ context.elements }}; place++)
    {
        const {{ "int16_t" if context.element_bytes == 2 else "uint8_t" }} start = ({{ "int16_t" if context.element_bytes == 2 else "uint8_t" }}){{ context.start }};
        (void)memcpy(&{{ name }}_arena[{{ context.input_offset }} + place * (int)sizeof(start)], &start, sizeof(start));
    }
{% endfor %}
    return 0;
}

int {{ name }}_npu_run(void)
{
    if (call >= VECTOR_CALLS)
    {
        return refuse("more calls than were recorded");
    }
    if (!are_inputs_right({{ name }}_arena))
    {
        return refuse("an input of the network is not what was recorded");
    }
    answer({{ name }}_arena);
{% for context in model.contexts %}
    (void)memcpy(&{{ name }}_arena[{{ context.input_offset }}], &{{ name }}_arena[{{ context.output_offset }}], {{ context.byte_count }});
{% endfor %}
    call++;
    return 0;
}
{% else %}
int ethosu_invoke_v3(struct ethosu_driver *given, const void *payload, const int payload_bytes,
                     uint64_t *const addresses, const size_t *sizes, const int count, void *argument)
{
    uint8_t *arena;
    (void)argument;
    if ((given != &driver) || (driver.is_reserved != 1))
    {
        return refuse("the driver is not reserved");
    }
    if ((count != 3) || (sizes[0] != VECTOR_CONSTANTS_BYTES) || (sizes[1] < VECTOR_ARENA_BYTES) ||
        (sizes[2] < VECTOR_FAST_BYTES) || (payload_bytes != VECTOR_COMMANDS_BYTES))
    {
        return refuse("a region has another size");
    }
    if (!is_aligned((uint64_t)(uintptr_t)payload) || !is_aligned(addresses[0]) || !is_aligned(addresses[1]) ||
        !is_aligned(addresses[2]))
    {
        return refuse("a region is not aligned to 16 bytes");
    }
    if ((call == 0) && (digest(payload, (size_t)payload_bytes) != VECTOR_COMMANDS_DIGEST))
    {
        return refuse("other commands than those that were recorded");
    }
    if ((call == 0) && (digest((const uint8_t *)(uintptr_t)addresses[0], sizes[0]) != VECTOR_CONSTANTS_DIGEST))
    {
        return refuse("other constants than those that were recorded");
    }
    if (call >= VECTOR_CALLS)
    {
        return refuse("more calls than were recorded");
    }
    arena = (uint8_t *)(uintptr_t)addresses[1];
{% if model.states %}
    if (!are_states_right(arena))
    {
        return refuse("a state is neither as it was left nor reset");
    }
{% endif %}
    is_reset = 0;
    if (!are_inputs_right(arena))
    {
        return refuse("an input of the network is not what was recorded");
    }
    answer(arena);
    call++;
    return 0;
}
{% endif %}
