{% set title = "The compiled network: its arrays, its regions and its states." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_NPU_H
#define {{ NAME }}_NPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C"
{
#endif

/* Where the linker puts the arrays: define these as section attributes (README.md, "Placement"). */
#ifndef {{ NAME }}_CONSTANTS_PLACE
#define {{ NAME }}_CONSTANTS_PLACE
#endif
#ifndef {{ NAME }}_ARENA_PLACE
#define {{ NAME }}_ARENA_PLACE
#endif
{% if model.fast_bytes %}
#ifndef {{ NAME }}_FAST_PLACE
#define {{ NAME }}_FAST_PLACE
#endif
{% endif %}

/* The driver needs multiples of 16; a cache line of the Cortex-M55 and M85 has 32 bytes. */
#define {{ NAME }}_CONSTANTS_ALIGNMENT 16u
#define {{ NAME }}_ARENA_ALIGNMENT 32u

{% if model.commands %}
#define {{ NAME }}_COMMANDS_BYTES {{ model.commands | length }}u
{% endif %}
#define {{ NAME }}_CONSTANTS_BYTES {{ model.constants | length }}u
#define {{ NAME }}_ARENA_BYTES {{ model.arena_bytes }}u
#define {{ NAME }}_ARENA_SIZE {{ model.arena_size }}u /* in whole cache lines */
{% if model.fast_bytes %}
#define {{ NAME }}_FAST_BYTES {{ model.fast_bytes }}u
#define {{ NAME }}_FAST_SIZE {{ model.fast_size }}u
{% endif %}

/* Bytes from the beginning of the arena. */
{% for end in model.inputs + model.outputs %}
#define {{ NAME }}_{{ end.name | upper }}_OFFSET {{ end.offset }}u /* {{ end.elements }} x {{ end.dtype }} */
{% endfor %}

{% if model.commands %}
extern const uint8_t {{ name }}_commands[{{ NAME }}_COMMANDS_BYTES];
{% endif %}
extern const uint8_t {{ name }}_constants[{{ NAME }}_CONSTANTS_BYTES];
extern uint8_t {{ name }}_arena[{{ NAME }}_ARENA_SIZE];
{% if model.fast_bytes %}
extern uint8_t {{ name }}_fast[{{ NAME }}_FAST_SIZE];
{% endif %}

/* Forget all state. Returns {{ NAME }}_MISALIGNED where an array is not aligned, else 0. */
int {{ name }}_npu_reset(void);

/* Run the network on what lies in the arena. Returns 0, or what the driver returned. */
int {{ name }}_npu_run(void);

#ifdef __cplusplus
}
#endif

#endif
