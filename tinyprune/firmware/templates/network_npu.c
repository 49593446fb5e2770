{% set title = "The compiled network on the NPU, through Arm's driver." %}
{% include "banner.txt" %}

#include "{{ name }}_npu.h"

#include "{{ name }}.h"
#include "ethosu_driver.h"

#include <stddef.h>
#include <string.h>

/* Numbers of the base addresses in the command stream. */
#define CONSTANTS 0
#define ARENA 1
#define FAST 2
#define REGIONS 3

{{ NAME }}_ARENA_PLACE
_Alignas({{ NAME }}_ARENA_ALIGNMENT) uint8_t {{ name }}_arena[{{ NAME }}_ARENA_SIZE];
{% if model.fast_bytes %}
{{ NAME }}_FAST_PLACE
_Alignas({{ NAME }}_ARENA_ALIGNMENT) uint8_t {{ name }}_fast[{{ NAME }}_FAST_SIZE];
{% endif %}
{% if model.states %}

/* States that stay in the arena from call to call. */
struct state
{
    uint32_t offset;
    uint32_t elements;
    uint32_t element_bytes;
    int32_t start;
};

static const struct state states[] = {
{% for state in model.states %}
    { {{ state.offset }}u, {{ state.elements }}u, {{ state.element_bytes }}u, {{ state.start }} },
{% endfor %}
};
{% endif %}
{% if model.contexts %}

/* States that go in and come out of every call. */
struct context
{
    uint32_t input_offset;
    uint32_t output_offset;
    uint32_t place;
    uint32_t elements;
    uint32_t element_bytes;
    int32_t start;
};

static const struct context contexts[] = {
{% for context in model.contexts %}
    { {{ context.input_offset }}u, {{ context.output_offset }}u, {{ context.place }}u, {{ context.elements }}u, {{ context.element_bytes }}u, {{ context.start }} },
{% endfor %}
};
static uint8_t context_bytes[{{ model.context_bytes }}];
{% endif %}
{% if model.states or model.contexts %}

static void fill(uint8_t *bytes, uint32_t elements, uint32_t element_bytes, int32_t value)
{
    for (uint32_t element = 0u; element < elements; element++)
    {
        for (uint32_t byte = 0u; byte < element_bytes; byte++)
        {
            bytes[element * element_bytes + byte] = (uint8_t)((uint32_t)value >> (8u * byte));
        }
    }
}
{% endif %}

static int is_aligned(const void *address, uintptr_t bytes)
{
    return ((uintptr_t)address % bytes) == 0u;
}

int {{ name }}_npu_reset(void)
{
    if (!is_aligned({{ name }}_commands, {{ NAME }}_CONSTANTS_ALIGNMENT) ||
        !is_aligned({{ name }}_constants, {{ NAME }}_CONSTANTS_ALIGNMENT) ||
{% if model.fast_bytes %}
        !is_aligned({{ name }}_fast, {{ NAME }}_ARENA_ALIGNMENT) ||
{% endif %}
        !is_aligned({{ name }}_arena, {{ NAME }}_ARENA_ALIGNMENT))
    {
        return {{ NAME }}_MISALIGNED;
    }
{% if model.states %}
    for (size_t number = 0u; number < sizeof(states) / sizeof(states[0]); number++)
    {
        const struct state *state = &states[number];
        fill(&{{ name }}_arena[state->offset], state->elements, state->element_bytes, state->start);
    }
{% endif %}
{% if model.contexts %}
    for (size_t number = 0u; number < sizeof(contexts) / sizeof(contexts[0]); number++)
    {
        const struct context *context = &contexts[number];
        fill(&context_bytes[context->place], context->elements, context->element_bytes, context->start);
    }
{% endif %}
    return 0;
}

int {{ name }}_npu_run(void)
{
    uint64_t addresses[REGIONS];
    size_t sizes[REGIONS];
    struct ethosu_driver *driver;
    int result;

    addresses[CONSTANTS] = (uint64_t)(uintptr_t){{ name }}_constants;
    sizes[CONSTANTS] = {{ NAME }}_CONSTANTS_BYTES;
    addresses[ARENA] = (uint64_t)(uintptr_t){{ name }}_arena;
    sizes[ARENA] = {{ NAME }}_ARENA_SIZE;
{% if model.fast_bytes %}
    addresses[FAST] = (uint64_t)(uintptr_t){{ name }}_fast;
    sizes[FAST] = {{ NAME }}_FAST_BYTES;
{% else %}
    addresses[FAST] = addresses[ARENA]; /* a part of the arena in this memory mode */
    sizes[FAST] = sizes[ARENA];
{% endif %}
{% if model.contexts %}

    for (size_t number = 0u; number < sizeof(contexts) / sizeof(contexts[0]); number++)
    {
        const struct context *context = &contexts[number];
        (void)memcpy(&{{ name }}_arena[context->input_offset], &context_bytes[context->place],
                     (size_t)context->elements * context->element_bytes);
    }
{% endif %}

    driver = ethosu_reserve_driver();
    result = ethosu_invoke_v3(driver, {{ name }}_commands, (int){{ NAME }}_COMMANDS_BYTES, addresses, sizes,
                              REGIONS, NULL);
    ethosu_release_driver(driver);
{% if model.contexts %}

    for (size_t number = 0u; number < sizeof(contexts) / sizeof(contexts[0]); number++)
    {
        const struct context *context = &contexts[number];
        (void)memcpy(&context_bytes[context->place], &{{ name }}_arena[context->output_offset],
                     (size_t)context->elements * context->element_bytes);
    }
{% endif %}
    return result;
}
