{% set title = "The tables of the front end." %}
{% include "banner.txt" %}

#include "{{ name }}_tables.h"
{% for array in tables.arrays %}

const {{ array.c_type }} {{ name }}_{{ array.name }}[{{ array.length }}] = {
{{ array.text }}
};
{% endfor %}
