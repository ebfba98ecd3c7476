/* tool/export/ndjson.c - stillframe-rdb ndjson: a key a line. */
#include "tool/export/text.h"
#include "tool/export/text_files.h"

/* begin_file: of several, each key says of which it is. */
static void
begin_file(struct text_files *t)
{
    t->keys.file = t->has_several ? t->path : NULL;
}

int
tool_ndjson(int count, char **files, const struct tool_options *o)
{
    struct text_files t = {.begin_file = begin_file};

    text_files_init(&t, count, o, NULL);
    t.keys.after = "\n";
    return text_files_run(&t, count, files);
}
