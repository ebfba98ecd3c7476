/* snapshot/tool/tool.h - stillframe-rdb, the offline tool: what its files share.
 *
 *     tool.c           main: arguments, one file after the other
 *     tool_check.c     is the file whole and sound?
 *     tool_marks.c     what came twice, among any number of things
 *     tool_info.c      what is in it: count
 *     tool_report.c    what is in it: print
 *     tool_progress.c  the bar on a terminal
 *     tool_text.c      numbers and sizes as text, tables, bars
 * Threads: one. */
#ifndef SNAPSHOT_TOOL_TOOL_H
#define SNAPSHOT_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "snapshot/rdb/rdb_dec.h"

enum { TOOL_OK = 0, TOOL_INVALID = 1, TOOL_USAGE = 2 };

struct tool_options {
    bool quiet;
    unsigned biggest; /* how many of the biggest values `info` names */
};

/* A command for one file: TOOL_OK or TOOL_INVALID, which was then reported. */
int tool_check(const char *path, const struct tool_options *o);
int tool_info(const char *path, const struct tool_options *o);

/* tool_decode: open, decode with the checksum, report what is wrong on stderr.  progress is set in
 * ev by the callee; ctx begins with a struct tool_run.  *ret_size_bytes: of the file. */
struct tool_run {
    const char *path;
    uint64_t size_bytes, offset;
    double start_s, drawn_s; /* monotonic */
    bool is_drawing;         /* stderr is a terminal */
    struct rdb_error error;  /* a sink that ends decoding puts its reason here */
    bool is_told_later;      /* ... or sets this, and its reason is nobody's business yet */
};
int tool_decode(const char *path, struct rdb_events ev, struct tool_run *run);
double tool_now_s(void);
/* tool_warn: a line on stderr: what is wrong, and where. */
void tool_warn(struct tool_run *run, uint64_t offset, const char *text, const char *key);

/* tool_progress.c: draw the bar, if it is worth it; and take it away again. */
void tool_progress_draw(struct tool_run *run, uint64_t offset);
void tool_progress_erase(struct tool_run *run);

/* tool_text.c.  The texts stand in a few static buffers, used in turn: good for the arguments of
 * one printf(). */
const char *tool_count(uint64_t n);                     /* 1,234,567 */
const char *tool_size(uint64_t bytes);                  /* 1.2 MiB */
const char *tool_seconds(double s);                     /* 0.12 s, 3 min 20 s */
const char *tool_key(const uint8_t *bytes, size_t len); /* "printable", cut */
/* tool_bar: `part` of `most` as a bar of up to 40 characters, at least one if part > 0. */
const char *tool_bar(uint64_t part, uint64_t most);

#endif
