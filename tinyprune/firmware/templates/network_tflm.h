{% set title = "What TensorFlow Lite Micro needs for the network: its operators, its arena." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_TFLM_H
#define {{ NAME }}_TFLM_H

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

/*
 * By TFLM's recording allocator on a machine of 64 bits; a microcontroller takes less, and
 * MicroInterpreter::arena_used_bytes() says how much.
 */
#define {{ NAME }}_TENSOR_ARENA_BYTES {{ facts.tensor_arena_bytes }}

/* Nothing but the operators of this network, so that no other one is linked. */
using {{ name }}_resolver = tflite::MicroMutableOpResolver<{{ facts.operators | length }}>;

/* Add them to a resolver. Returns false where one is missing in this TFLM. */
inline bool {{ name }}_add_operators({{ name }}_resolver &resolver)
{
    return {% for operator in facts.operators %}(resolver.Add{{ operator }}() == kTfLiteOk){{ ";" if loop.last else " &&\n           " }}{% endfor %}

}

#endif
