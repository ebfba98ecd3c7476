/* mm/step.c - the hook of the step scheduler; see step.h. */
#include "mm/step.h"

#ifdef STILLFRAME_STEPS
void (*step_hook)(const char *name);
#else
typedef int step_is_compiled_out;
#endif
