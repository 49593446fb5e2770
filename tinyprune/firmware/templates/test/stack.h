/* The stack that a call takes, on bare metal: it is painted before, and looked at after. */

#ifndef TEST_STACK_H
#define TEST_STACK_H

/* Paint what lies below the caller's stack. */
void stack_paint(void);

/* Return how many bytes below the caller's stack are painted over. */
long stack_used(void);

#endif
