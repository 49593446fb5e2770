/* The stack that a call takes, on bare metal: it is painted before, and looked at after. */

#ifndef TEST_STACK_H
#define TEST_STACK_H

/* Paint what lies below the caller's stack. */
void stack_paint(void);

/* Look how much below the caller's stack is painted over. */
void stack_look(void);

/* Return the most bytes that were painted over. */
long stack_used(void);

#endif
