/* tool/export/text_files.h - what json, ndjson and csv have in common: their files, one after the
 * other, and what is not among what they write.
 * Threads: one. */
#ifndef TOOL_EXPORT_TEXT_FILES_H
#define TOOL_EXPORT_TEXT_FILES_H

#include "tool/base/out.h"
#include "tool/keys/walk.h"

/* A command on its way; the ctx of its events begins with a struct walk. */
struct text_files {
    struct walk *walk;
    struct tool_out *out;
    const struct walk_events *events;
    /* Of the file in hand, NULL: nothing to do.  end: it was read well. */
    void (*begin)(struct text_files *t, const char *path);
    void (*end)(struct text_files *t);
};
/* text_files_run: all files, up to the first that is wrong, or what --limit allows; what is left
 * open is the caller's to close.  An exit status. */
int text_files_run(struct text_files *t, int count, char **files, const struct tool_options *o);

/* text_left_out: on stderr, unless --quiet: so many of a file are not in the output. */
void text_left_out(const struct tool_options *o, const char *path, uint64_t count, const char *one,
                   const char *several, const char *why);

#endif
