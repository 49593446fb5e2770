{% set title = "The tables of the front end." %}
{% include "banner.txt" %}

#ifndef {{ NAME }}_TABLES_H
#define {{ NAME }}_TABLES_H

#include <stdint.h>

{% for constant in tables.constants %}
#define {{ NAME }}_{{ constant.name | upper }} {{ constant.text }}{% if constant.meaning %} /* {{ constant.meaning }} */{% endif %}

{% endfor %}

{% for array in tables.arrays %}
extern const {{ array.c_type }} {{ name }}_{{ array.name }}[{{ array.length }}]; /* {{ array.meaning }} */
{% endfor %}

#endif
