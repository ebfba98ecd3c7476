/* mm/base/step.h - points at which the step scheduler (tests/) may switch between the sweep and the
 * mutator.  Only the step flavour compiles them in.  Each names what is about to happen.
 * Threads: [any]; the hook is the test's, set before there is a second one. */
#ifndef MM_BASE_STEP_H
#define MM_BASE_STEP_H

#ifdef STILLFRAME_STEPS
extern void (*step_hook)(const char *name); /* [test] */
#define STEP(name)                                                                                 \
    do {                                                                                           \
        if (step_hook != 0)                                                                        \
            step_hook(name);                                                                       \
    } while (0)
#else
#define STEP(name) ((void)0)
#endif

#endif
