{% set title = "Golden vectors: what goes in and comes out, and what the simulated NPU answered." %}
{% include "banner.txt" %}

#include "vectors.h"

const struct vector_end vector_inputs[VECTOR_INPUTS] = {
{% for end in golden.npu_inputs %}
    { {{ end.offset }}u, {{ end.bytes }}u, {{ end.element_bytes }}u, {{ 1 if end.is_signed else 0 }} },
{% endfor %}
};

const struct vector_end vector_outputs[VECTOR_OUTPUTS] = {
{% for end in golden.npu_outputs %}
    { {{ end.offset }}u, {{ end.bytes }}u, {{ end.element_bytes }}u, {{ 1 if end.is_signed else 0 }} },
{% endfor %}
};

const uint8_t vector_npu_inputs[VECTOR_CALLS][{{ golden.npu_input_bytes }}] = {
{{ golden.npu_input_rows | c_rows }}
};

const uint8_t vector_npu_outputs[VECTOR_CALLS][{{ golden.npu_output_bytes }}] = {
{{ golden.npu_output_rows | c_rows }}
};
{% if model.states %}

const struct vector_end vector_states[VECTOR_STATES] = {
{% for state in model.states %}
    { {{ state.offset }}u, {{ state.byte_count }}u, {{ state.element_bytes }}u, 1 },
{% endfor %}
};

const uint8_t vector_reset_states[VECTOR_STATE_BYTES] = {
{% for state in model.states %}
{{ state.start_bytes | c_bytes }}
{% endfor %}
};
{% endif %}

const uint8_t vector_resets[VECTOR_CALLS] = {
{{ golden.resets | c_bytes }}
};
{% for array in golden.given + golden.made %}

const {{ array.c_type }} vector_{{ array.name }}[VECTOR_CALLS][{{ array.length }}] = {
{{ array.rows | c_rows }}
};
{% endfor %}
