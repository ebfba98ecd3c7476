/* tool/convert/head.h - what stands in a dump beside its keys: AUX fields and function libraries.
 *
 * What the file says of its writer and its time (redis-ver, ctime, ...) goes along, of several
 * files that of the first one read; what is about replication does not: other data may come out
 * under the same name.  A library that is in several files is written once.
 * Threads: one. */
#ifndef TOOL_CONVERT_HEAD_H
#define TOOL_CONVERT_HEAD_H

#include "mm/base/slice.h"

/* Events of the decoder. */
int head_aux(void *ctx, struct slice key, struct slice value);
int head_function(void *ctx, struct slice code);

#endif
