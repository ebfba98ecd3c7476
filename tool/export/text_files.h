/* tool/export/text_files.h - what json, ndjson and csv have in common: their output, their files,
 * one after the other, and what is not among what they write.
 * Threads: one. */
#ifndef TOOL_EXPORT_TEXT_FILES_H
#define TOOL_EXPORT_TEXT_FILES_H

#include "tool/values/json_key.h"

/* A command's ctx begins with this. */
struct text_files {
    struct json_keys keys; /* first; csv uses its output and strings alone */
    const struct tool_options *o;
    struct tool_out out;
    struct walk_events events; /* of text_files_init(); a command adds its own */
    bool has_several;
    const char *path; /* of the file in hand */
    /* Calls of the command, NULL: nothing to do.  begin: before the first file; begin_file,
     * end_file: end_file only if it was read well; end: after the last; an exit status. */
    void (*begin)(struct text_files *t);
    void (*begin_file)(struct text_files *t);
    void (*end_file)(struct text_files *t);
    int (*end)(struct text_files *t);
    /* of all files: what has no place in the output, which is told in the end */
    uint64_t lost_libraries, lost_groups, unknown;
};

/* text_files_init: zeroed before; values: NULL: those of json_key_events. */
void text_files_init(struct text_files *t, int count, const struct tool_options *o,
                     const struct value_events *values);
/* text_files_run: all files, up to the first that is wrong, or what --limit allows.  An exit
 * status. */
int text_files_run(struct text_files *t, int count, char **files);
/* text_worse: of two exit states. */
static inline int
text_worse(int a, int b)
{
    return a != TOOL_OK ? a : b;
}

#endif
