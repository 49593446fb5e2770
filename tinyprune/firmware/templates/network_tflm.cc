{% set title = "The compiled network in TensorFlow Lite Micro." %}
{% include "banner.txt" %}

#include "{{ name }}_npu.h"

#include "{{ name }}.h"
#include "{{ name }}_tflm.h"

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C"
{
    alignas({{ NAME }}_ARENA_ALIGNMENT) uint8_t {{ name }}_arena[{{ NAME }}_ARENA_SIZE];
}

namespace
{

{{ NAME }}_ARENA_PLACE
alignas({{ NAME }}_ARENA_ALIGNMENT) uint8_t tensor_arena[{{ NAME }}_TENSOR_ARENA_BYTES];

/* Where the ends of the network lie in {{ name }}_arena, in TFLM's order. */
struct Part
{
    uint32_t offset;
    uint32_t bytes;
};

constexpr Part inputs[] = {
{% for part in golden.npu_inputs %}
    { {{ part.offset }}u, {{ part.bytes }}u },
{% endfor %}
};
constexpr Part outputs[] = {
{% for part in golden.npu_outputs %}
    { {{ part.offset }}u, {{ part.bytes }}u },
{% endfor %}
};
{% if model.contexts %}

/* States that go in and come out of every call. */
struct Context
{
    uint32_t input_offset;
    uint32_t output_offset;
    uint32_t elements;
    uint32_t element_bytes;
    int32_t start;
};

constexpr Context contexts[] = {
{% for context in model.contexts %}
    { {{ context.input_offset }}u, {{ context.output_offset }}u, {{ context.elements }}u, {{ context.element_bytes }}u, {{ context.start }} },
{% endfor %}
};
{% endif %}

/* Return the interpreter, or nullptr where the arena is too small or an operator is missing. */
tflite::MicroInterpreter *interpreter()
{
    static {{ name }}_resolver resolver;
    static const bool has_operators = {{ name }}_add_operators(resolver);
    static tflite::MicroInterpreter only(tflite::GetModel({{ name }}_constants), resolver, tensor_arena,
                                         sizeof(tensor_arena));
    static const bool is_ready = has_operators && (only.AllocateTensors() == kTfLiteOk);
    return is_ready ? &only : nullptr;
}

} // namespace

extern "C" int {{ name }}_npu_reset(void)
{
    tflite::MicroInterpreter *const network = interpreter();
    if (network == nullptr)
    {
        return {{ NAME }}_NOT_ALLOCATED;
    }
{% if model.contexts %}
    for (const Context &context : contexts)
    {
        for (uint32_t element = 0; element < context.elements; element++)
        {
            for (uint32_t byte = 0; byte < context.element_bytes; byte++)
            {
                {{ name }}_arena[context.input_offset + element * context.element_bytes + byte] =
                    static_cast<uint8_t>(static_cast<uint32_t>(context.start) >> (8u * byte));
            }
        }
    }
{% endif %}
    return (network->Reset() == kTfLiteOk) ? 0 : {{ NAME }}_NOT_ALLOCATED;
}

extern "C" int {{ name }}_npu_run(void)
{
    tflite::MicroInterpreter *const network = interpreter();
    if (network == nullptr)
    {
        return {{ NAME }}_NOT_ALLOCATED;
    }
    for (std::size_t number = 0; number < sizeof(inputs) / sizeof(inputs[0]); number++)
    {
        std::memcpy(network->input(number)->data.raw, &{{ name }}_arena[inputs[number].offset], inputs[number].bytes);
    }
    if (network->Invoke() != kTfLiteOk)
    {
        return -1;
    }
    for (std::size_t number = 0; number < sizeof(outputs) / sizeof(outputs[0]); number++)
    {
        std::memcpy(&{{ name }}_arena[outputs[number].offset], network->output(number)->data.raw, outputs[number].bytes);
    }
{% if model.contexts %}
    for (const Context &context : contexts)
    {
        std::memcpy(&{{ name }}_arena[context.input_offset], &{{ name }}_arena[context.output_offset],
                    context.elements * context.element_bytes);
    }
{% endif %}
    return 0;
}
