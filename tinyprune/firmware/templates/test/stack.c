/* The stack that a call takes, on bare metal: it is painted before, and looked at after. */

#include "stack.h"

#include <stdint.h>

#define DEPTH 8192
#define OWN 64 /* bytes that these functions use themselves */
#define PAINT 0xA5u

static long used;

__attribute__((noinline)) void stack_paint(void)
{
    volatile uint8_t local = 0u;
    const uintptr_t here = (uintptr_t)&local;
    for (uintptr_t depth = OWN; depth < DEPTH; depth++)
    {
        *(volatile uint8_t *)(here - depth) = PAINT;
    }
}

__attribute__((noinline)) void stack_look(void)
{
    volatile uint8_t local = 0u;
    const uintptr_t here = (uintptr_t)&local;
    uintptr_t depth = DEPTH - 1;
    while ((depth > OWN) && (*(volatile uint8_t *)(here - depth) == PAINT))
    {
        depth--;
    }
    used = ((long)depth > used) ? (long)depth : used;
}

long stack_used(void)
{
    return used;
}
