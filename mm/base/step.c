/* mm/base/step.c - the hook of the step scheduler; see step.h. */
#include "mm/base/step.h"

#ifdef STILLFRAME_STEPS
void (*step_hook)(const char *name);
#else
typedef int step_is_compiled_out;
#endif
