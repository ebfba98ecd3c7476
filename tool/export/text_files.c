/* tool/export/text_files.c - files, one after the other, into one output. */
#include "tool/export/text_files.h"

#include <unistd.h>

static int
on_function(void *ctx, struct slice code)
{
    struct text_files *t = ctx;

    (void)code;
    t->lost_libraries++;
    return 0;
}

/* on_finding: the output has what is right, not what the file says. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct text_files *t = ctx;

    if (!t->o->quiet)
        tool_warn(&t->keys.values.walk.run, f->offset, f->within, f->text, f->key);
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct text_files *t = ctx;

    (void)key;
    (void)what;
    t->unknown++;
    return 0;
}

void
text_files_init(struct text_files *t, int count, const struct tool_options *o,
                const struct value_events *values)
{
    t->o = o;
    t->has_several = count > 1;
    t->keys.out = &t->out;
    t->keys.binary = binary_of(o->binary);
    t->keys.before = t->keys.after = "";
    t->keys.values.events = values != NULL ? values : &json_key_events;
    t->events.rdb = values_rdb_events(t->keys.values.events);
    t->events.rdb.function = on_function;
    t->events.rdb.unknown = on_unknown;
    t->events.rdb.finding = on_finding;
}

static void
call(struct text_files *t, void (*what)(struct text_files *t))
{
    if (what != NULL)
        what(t);
}

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
each_file(struct text_files *t, struct selection *selection, int count, char **files)
{
    struct walk *walk = &t->keys.values.walk;
    struct tool_options o = for_walk(t->o);

    for (int i = 0; i < count && !walk_is_over(walk) && !tool_out_failed(&t->out); i++) {
        int status;

        t->path = files[i];
        call(t, t->begin_file);
        if ((status = walk_file(walk, files[i], &t->events, selection, &o)) != TOOL_OK)
            return status;
        call(t, t->end_file);
    }
    return TOOL_OK;
}

/* run: the output is open. */
static int
run(struct text_files *t, struct selection *selection, int count, char **files)
{
    const struct value_events *values = t->keys.values.events;
    int status;

    if ((status = json_keys_open(&t->keys)) != TOOL_OK)
        return status;
    t->keys.values.events = values;
    call(t, t->begin);
    status = each_file(t, selection, count, files);
    walk_fini(&t->keys.values.walk);
    if (status == TOOL_OK && t->end != NULL)
        status = t->end(t);
    return text_worse(status, json_keys_close(&t->keys));
}

static void
tell_lost(const struct text_files *t)
{
    const struct {
        uint64_t count;
        const char *what;
    } lost[] = {{t->lost_libraries, "function libraries left out, json has them"},
                {t->lost_groups, "consumer groups left out, json and ndjson have them"},
                {t->unknown, "left out by --skip-unknown"}};

    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (lost[i].count > 0 && !t->o->quiet)
            fprintf(stderr, "stillframe-rdb: %s: %llu\n", lost[i].what,
                    (unsigned long long)lost[i].count);
}

int
text_files_run(struct text_files *t, int count, char **files)
{
    struct selection *selection = selection_new(t->o);
    int status;

    if (selection == NULL)
        return TOOL_USAGE;
    if ((status = tool_out_open(&t->out, t->o->output, t->o->force)) == TOOL_OK) {
        status = run(t, selection, count, files);
        status = text_worse(status, tool_out_close(&t->out, status == TOOL_OK));
    }
    selection_free(selection);
    if (status == TOOL_OK)
        tell_lost(t);
    return status;
}
