{% if class_names %}

const char *const {{ name }}_class_names[{{ class_names | length }}] = {
{% for class_name in class_names %}
    {{ class_name | c_text }},
{% endfor %}
};
{% endif %}
