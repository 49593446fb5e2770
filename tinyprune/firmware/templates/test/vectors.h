{% set title = "Golden vectors: what goes in and comes out, and what the simulated NPU answered." %}
{% include "banner.txt" %}

#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <stdint.h>

#define VECTOR_CALLS {{ golden.calls }}
#define VECTOR_COMMANDS_BYTES {{ model.commands | length }}
#define VECTOR_COMMANDS_DIGEST {{ model.commands | fnv }}u
#define VECTOR_CONSTANTS_BYTES {{ model.constants | length }}u
#define VECTOR_CONSTANTS_DIGEST {{ model.constants | fnv }}u
#define VECTOR_ARENA_BYTES {{ model.arena_bytes }}u
#define VECTOR_FAST_BYTES {{ model.fast_bytes or model.arena_bytes }}u
#define VECTOR_INPUTS {{ golden.npu_inputs | length }}u
#define VECTOR_OUTPUTS {{ golden.npu_outputs | length }}u
{% if model.states %}
#define VECTOR_STATES {{ model.states | length }}u
#define VECTOR_STATE_BYTES {{ model.states | map(attribute="byte_count") | sum }}u
{% endif %}
/* The most that a number that comes out may be off{{ ": a step of 16 bits" if golden.is_integer }}. */
#define VECTOR_TOLERANCE {{ golden.tolerance }}

/* A part of the arena. */
struct vector_end
{
    uint32_t offset;
    uint32_t bytes;
    uint32_t element_bytes;
    int is_signed;
};

extern const struct vector_end vector_inputs[VECTOR_INPUTS];
extern const struct vector_end vector_outputs[VECTOR_OUTPUTS];
extern const uint8_t vector_npu_inputs[VECTOR_CALLS][{{ golden.npu_input_bytes }}];
extern const uint8_t vector_npu_outputs[VECTOR_CALLS][{{ golden.npu_output_bytes }}];
{% if model.states %}
extern const struct vector_end vector_states[VECTOR_STATES];
extern const uint8_t vector_reset_states[VECTOR_STATE_BYTES];
{% endif %}

/* Whether the state is reset before a call. */
extern const uint8_t vector_resets[VECTOR_CALLS];
{% for array in golden.given + golden.made %}
extern const {{ array.c_type }} vector_{{ array.name }}[VECTOR_CALLS][{{ array.length }}];
{% endfor %}

#endif
