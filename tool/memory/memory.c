/* tool/memory/memory.c - stillframe-rdb memory. */
#include "tool/memory/memory.h"

#include <stdlib.h>

#include "tool/memory/rows.h"

enum { TOP_MOST = 1000 };

struct memory {
    struct memory_survey survey; /* first */
    struct tool_out out;
    enum rows_form form;
    enum memory_measure by;
    uint64_t rows;
};

static int
on_row(void *ctx, const struct memory_row *row)
{
    struct memory *m = ctx;

    rows_put(&m->out, m->form, row, m->rows++);
    return tool_out_failed(&m->out) ? WALK_ENOUGH : 0;
}

static int
wrong(const char *what)
{
    fprintf(stderr, "stillframe-rdb: %s\nTry: stillframe-rdb memory --help\n", what);
    return TOOL_USAGE;
}

/* print: what was asked for, of what was read. */
static void
print(struct memory *m, const struct tool_options *o)
{
    const struct memory_top *top = &m->survey.tops[m->by];

    if (o->prefixes && m->form == ROWS_TABLE)
        memory_print_prefixes(&m->out, &m->survey, false);
    else if (o->prefixes && m->form == ROWS_CSV)
        memory_csv_prefixes(&m->out, &m->survey);
    else if (o->prefixes)
        memory_json_prefixes(&m->out, &m->survey);
    else if (m->form == ROWS_TABLE)
        memory_print(&m->out, &m->survey, m->by);
    else if (m->form == ROWS_JSON)
        memory_json(&m->out, &m->survey, m->by);
    else {
        rows_head(&m->out, m->form);
        for (uint32_t i = 0; i < top->count; i++)
            rows_put(&m->out, m->form, &top->at[i].row, i);
    }
}

static int
run(struct memory *m, int count, char **files, const struct tool_options *o)
{
    int status, closed;

    if ((status = tool_out_open(&m->out, o->output, o->force)) != TOOL_OK)
        return status;
    if (o->keys)
        rows_head(&m->out, m->form);
    status = survey_read(&m->survey, count, files);
    if (o->keys)
        rows_tail(&m->out, m->form, m->rows);
    else if (m->survey.total.keys > 0 || status == TOOL_OK)
        print(m, o);
    closed = tool_out_close(&m->out, status == TOOL_OK);
    return status != TOOL_OK ? status : closed;
}

int
tool_memory(int count, char **files, const struct tool_options *o)
{
    struct survey_wish wish = {.prefixes = !o->keys, .row = o->keys ? on_row : NULL};
    struct memory *m;
    int status;

    if (o->keys && o->prefixes)
        return wrong("--keys and --prefixes: one of the two");
    if (o->top > TOP_MOST)
        return wrong("--top: not a number from 0 to 1000");
    if ((m = calloc(1, sizeof *m)) == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", "no memory");
        return TOOL_INVALID;
    }
    m->form = rows_form_of(o->format);
    m->by = memory_measure_of(o->by);
    if (!o->keys && !o->prefixes)
        wish.top[m->by] = (uint32_t)o->top;
    if ((status = survey_init(&m->survey, o, &wish)) == TOOL_OK)
        status = run(m, count, files, o);
    survey_fini(&m->survey);
    free(m);
    return status;
}
