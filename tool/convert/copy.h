/* tool/convert/copy.h - the pass in which keys are written.
 * Threads: one. */
#ifndef TOOL_CONVERT_COPY_H
#define TOOL_CONVERT_COPY_H

#include "tool/convert/convert_impl.h"

enum { FINDINGS_TOLD = 20 }; /* one by one; of more only their number */

/* copy_events: for all files. */
const struct walk_events *copy_events(const struct convert *c);
/* copy_end: all files were read: what has to be there without a key, too.  0 or -1: see the
 * output's error. */
int copy_end(struct convert *c);

#endif
