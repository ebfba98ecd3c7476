/* tool/export/text_files.c - files, one after the other. */
#include "tool/export/text_files.h"

#include <unistd.h>

/* for_walk: a bar would stand among the text. */
static struct tool_options
for_walk(const struct tool_options *o)
{
    struct tool_options walking = *o;

    if (o->output == NULL && isatty(STDOUT_FILENO) == 1)
        walking.quiet = true;
    return walking;
}

static int
run_files(struct text_files *t, struct selection *selection, int count, char **files,
          const struct tool_options *o)
{
    struct tool_options walking = for_walk(o);

    for (int i = 0; i < count && !walk_is_over(t->walk) && !tool_out_failed(t->out); i++) {
        int status;

        if (t->begin != NULL)
            t->begin(t, files[i]);
        if ((status = walk_file(t->walk, files[i], t->events, selection, &walking)) != TOOL_OK)
            return status;
        if (t->end != NULL)
            t->end(t);
    }
    return TOOL_OK;
}

int
text_files_run(struct text_files *t, int count, char **files, const struct tool_options *o)
{
    struct selection *selection = selection_new(o);
    int status;

    if (selection == NULL)
        return TOOL_USAGE;
    status = run_files(t, selection, count, files, o);
    walk_fini(t->walk);
    selection_free(selection);
    return status;
}

void
text_left_out(const struct tool_options *o, const char *path, uint64_t count, const char *one,
              const char *several, const char *why)
{
    if (count > 0 && !o->quiet)
        fprintf(stderr, "stillframe-rdb: %s: %llu %s left out%s\n", path, (unsigned long long)count,
                count == 1 ? one : several, why);
}
