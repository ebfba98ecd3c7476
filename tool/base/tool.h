/* tool/base/tool.h - stillframe-rdb, the offline tool: what its files share.
 * Threads: one. */
#ifndef TOOL_BASE_TOOL_H
#define TOOL_BASE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "snapshot/rdb/rdb_dec.h"
#include "tool/base/options.h"

/* Exit states. */
enum { TOOL_OK = 0, TOOL_INVALID = 1, TOOL_USAGE = 2 };

/* A file on its way through the decoder (tool/input/run.h).  A command puts it first in what its
 * events get as ctx. */
struct tool_run {
    const char *path;
    uint64_t size_bytes;        /* of the file; 0: not known */
    bool is_packed;             /* compressed as a whole: after decoding, as the next two */
    uint64_t rdb_bytes;         /* of the RDB in it */
    char form[64];              /* "plain", "gzip" ... */
    int64_t start_us, drawn_us; /* monotonic; drawn: the bar, last; 0: it does not stand there */
    bool is_drawing;            /* stderr is a terminal, and progress is wanted */
    struct rdb_error error;     /* an event that ends decoding puts its reason here */
    bool relaxed;               /* as in struct tool_options */
    bool quiet;                 /* no bar: so, too, where the output goes to a terminal meanwhile */
    bool is_told_later;         /* ... or sets this, and its reason is nobody's business yet */
};
/* tool_warn: a line on stderr: what is wrong, and where (within: as in struct rdb_error); key: ""
 * if it is none's. */
void tool_warn(struct tool_run *run, uint64_t offset, const char *within, const char *text,
               const char *key);

/* tool_got: p, which malloc() gave; NULL ends the process with a message and TOOL_INVALID.  For few
 * bytes, while no output file is open. */
void *tool_got(void *p);

/* progress.c: the bar on stderr.  begin: from now on, of so many bytes (0: not known); draw: so
 * many are done: a call that nearly always does nothing; erase: take it away again. */
void tool_progress_begin(struct tool_run *run, uint64_t size_bytes);
void tool_progress_draw(struct tool_run *run, uint64_t offset);
void tool_progress_erase(struct tool_run *run);

/* text.c.  The texts stand in a few static buffers, used in turn: good for the arguments of one
 * printf(). */
const char *tool_count(uint64_t n);      /* 1,234,567 */
const char *tool_size(uint64_t bytes);   /* 1.2 MiB */
const char *tool_seconds(double s);      /* 0.12 s, 3 min 20 s */
const char *tool_key(struct slice name); /* "printable", cut */
/* tool_bar: `part` of `most` as a bar of up to 40 characters, at least one if part > 0. */
const char *tool_bar(uint64_t part, uint64_t most);

#endif
