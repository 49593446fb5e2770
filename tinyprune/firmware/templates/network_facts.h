/* Where it comes from. */
#define {{ NAME }}_TINYPRUNE_VERSION "{{ facts.tinyprune_version }}"
#define {{ NAME }}_VELA_VERSION "{{ facts.vela_version }}"
#define {{ NAME }}_NPU "{{ facts.target.npu }}"
#define {{ NAME }}_SYSTEM_CONFIG "{{ facts.target.system_config }}"
#define {{ NAME }}_MEMORY_MODE "{{ facts.target.memory_mode }}"
#define {{ NAME }}_SOURCE_SHA256 "{{ facts.source_sha256 }}"
#define {{ NAME }}_COMPILED_SHA256 "{{ facts.compiled_sha256 }}"

/* A result that is none of the driver's, which are 0 and negative. */
#define {{ NAME }}_MISALIGNED 1
{% if runtime == "tflm" %}
/* TFLM's arena is too small, or an operator is missing. */
#define {{ NAME }}_NOT_ALLOCATED 2
{% endif %}
