{% set title = "What Vela made of the network: commands for the NPU, and its constants." %}
{% include "banner.txt" %}

#include "{{ name }}_npu.h"

{% if model.commands %}
/* The payload of the driver. */
{{ NAME }}_CONSTANTS_PLACE
_Alignas({{ NAME }}_CONSTANTS_ALIGNMENT) const uint8_t {{ name }}_commands[{{ NAME }}_COMMANDS_BYTES] = {
{{ model.commands | c_bytes }}
};

/* Encoded weights, biases and scales, lookup tables. */
{% else %}
/* The file that Vela made. */
{% endif %}
{{ NAME }}_CONSTANTS_PLACE
_Alignas({{ NAME }}_CONSTANTS_ALIGNMENT) const uint8_t {{ name }}_constants[{{ NAME }}_CONSTANTS_BYTES] = {
{{ model.constants | c_bytes }}
};
