/* tool/convert/convert.c - from dumps to dumps: passes over the inputs, and what is said in the
 * end. */
#include "tool/convert/convert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/base/spill.h"
#include "tool/convert/convert_impl.h"
#include "tool/convert/copy.h"
#include "tool/convert/head.h"

static void
say(const char *text)
{
    fprintf(stderr, "stillframe-rdb: %s\n", text);
}

/* fail_without: no memory, and nothing was begun. */
static int
fail_without(int error)
{
    fprintf(stderr, "stillframe-rdb: convert: %s\n", strerror(-error));
    return TOOL_INVALID;
}

/* walk: one file, with a selection of its own where the pass is for all of them. */
static int
walk(struct convert *c, const char *path, const struct walk_events *events,
     struct selection *selection, const struct tool_options *o)
{
    int status;

    c->is_past_head = c->has_lzf = false;
    c->ordinal = 0;
    status = walk_file(&c->walk, path, events, selection, o);
    if (c->output.error[0] == '\0')
        return status;
    say(c->output.error);
    return TOOL_INVALID;
}

enum { CLASHES_NAMED = 10 };

/* ---- versions, AUX fields and libraries of several files ---- */

static int
head_start(void *ctx, int version)
{
    struct convert *c = ctx;
    int nearest = c->plan->version != 0 ? c->plan->version : target_nearest(version);

    c->version = nearest > c->version ? nearest : c->version;
    c->holds_all = c->holds_all && target_holds_all(c->version, version);
    return c->files == 1 ? WALK_ENOUGH : 0; /* the rest comes when its keys do */
}

static int
head_key(void *ctx, const struct rdb_key *key)
{
    (void)ctx;
    (void)key;
    return WALK_ENOUGH;
}

static const struct walk_events head_events = {
    .rdb = {.start = head_start, .aux = head_aux, .function = head_function, .key = head_key}};

/* read_head: of one file. */
static int
read_head(struct convert *c, char **files, unsigned file, struct selection *every,
          const struct tool_options *all)
{
    int status = walk(c, files[file], &head_events, every, all);

    if (file == 0 && c->plan->compress == COMPRESS_KEEP)
        c->output.o.lz4 =
            !c->plan->no_envelope && strcmp(c->walk.run.form, "LZ4 in Valkey's envelope") == 0;
    c->heads_read++;
    return status;
}

/* read_heads: of all files, in the order in which the first one with a name is kept. */
static int
read_heads(struct convert *c, char **files)
{
    struct tool_options all;
    struct selection *every;
    int status = TOOL_OK;

    tool_options_init(&all);
    all.relaxed = c->options->relaxed;
    all.skip_unknown = c->options->skip_unknown;
    if ((every = selection_new(&all)) == NULL)
        status = TOOL_USAGE;
    c->head_only = c->holds_all = true;
    for (unsigned i = 0; i < c->files && status == TOOL_OK; i++)
        status =
            read_head(c, files, c->plan->rule == MERGE_LAST ? c->files - 1 - i : i, every, &all);
    c->head_only = false;
    if (c->files == 1)
        c->heads_read = 0; /* it was only looked at */
    selection_free(every);
    tool_options_fini(&all);
    walk_fini(&c->walk); /* of another selection */
    return status;
}

/* ---- keys that are in several files ---- */

static int
merge_key(void *ctx, const struct rdb_key *key)
{
    struct convert *c = ctx;
    struct merge_place at = {c->file, c->ordinal++};
    int r = merge_add(&c->merge, plan_db(c->plan, key->db), key->name, at);

    return r < 0 ? recode_fail(c, "cannot compare keys: %s", strerror(-r)) : RDB_SKIP_VALUE;
}

static const struct walk_events merge_events = {.rdb = {.key = merge_key}};

/* name_key: of those that are there more than once, in the file in hand: the first few. */
static int
name_key(void *ctx, const struct rdb_key *key)
{
    struct convert *c = ctx;
    struct merge_place at = {c->file, c->ordinal++};
    bool takes;
    int r;

    if ((r = merge_takes(&c->merge, at, &takes)) < 0)
        return recode_fail(c, "cannot compare keys: %s", strerror(-r));
    if (takes)
        return RDB_SKIP_VALUE;
    fprintf(stderr, "stillframe-rdb: %s: database %llu has the key %s, which came before\n",
            c->walk.run.path, (unsigned long long)plan_db(c->plan, key->db), tool_key(key->name));
    return ++c->named == CLASHES_NAMED ? WALK_ENOUGH : RDB_SKIP_VALUE;
}

static const struct walk_events name_events = {.rdb = {.key = name_key}};

/* each_file: a pass over all of them.  It has its own selection: what --limit and --sample take
 * must be the same again. */
static int
each_file(struct convert *c, char **files, const struct walk_events *events)
{
    struct selection *selection = selection_new(c->options);
    int status = selection == NULL ? TOOL_USAGE : TOOL_OK;

    c->is_whole = selection != NULL && selection_is_all(selection) && c->files == 1 &&
                  c->plan->split == SPLIT_NOT && c->plan->maps == 0;
    for (c->file = 0; c->file < c->files && status == TOOL_OK; c->file++)
        status = walk(c, files[c->file], events, selection, c->options);
    walk_fini(&c->walk);
    selection_free(selection);
    return status;
}

/* refuse_clashes: their names, as far as a reader wants them. */
static int
refuse_clashes(struct convert *c, char **files)
{
    char text[256];

    snprintf(text, sizeof text,
             "convert: %s keys are in more than one file: --on-conflict=first or last takes one",
             tool_count(merge_clashes(&c->merge)));
    (void)each_file(c, files, &name_events);
    say(text);
    return TOOL_INVALID;
}

static int
compare_keys(struct convert *c, char **files)
{
    int r, status = each_file(c, files, &merge_events);

    if (status != TOOL_OK)
        return status;
    if ((r = merge_decide(&c->merge)) < 0) {
        fprintf(stderr, "stillframe-rdb: convert: cannot compare keys: %s: %s\n", tool_spill_dir(),
                strerror(-r));
        return TOOL_INVALID;
    }
    return c->plan->rule == MERGE_REFUSE && merge_clashes(&c->merge) > 0 ? refuse_clashes(c, files)
                                                                         : TOOL_OK;
}

/* ---- what is said in the end ---- */

static void
say_losses(const struct convert *c)
{
    for (int i = 0; i < LOSSES; i++)
        if (c->losses[i] > 0)
            fprintf(stderr, "stillframe-rdb: %s: RDB %d: %s: %s\n", c->options->output, c->version,
                    loss_kinds[i].what, tool_count(c->losses[i]));
    if (c->findings > FINDINGS_TOLD)
        fprintf(stderr, "stillframe-rdb: %s: %s more findings: check tells of all\n",
                c->options->output, tool_count(c->findings - FINDINGS_TOLD));
    if (c->merge.is_decided && merge_clashes(&c->merge) > 0)
        fprintf(stderr, "stillframe-rdb: %s: left out of keys that are in more than one file: %s\n",
                c->options->output, tool_count(merge_clashes(&c->merge)));
}

static void
say_part(const struct convert *c, const struct part *p)
{
    struct stat st;

    printf("%s: RDB %d, %s key%s, %s", p->path, c->version, tool_count(p->keys),
           p->keys == 1 ? "" : "s",
           tool_size(stat(p->path, &st) == 0 ? (uint64_t)st.st_size : p->rdb_bytes));
    if (c->plan->split == SPLIT_SLOT)
        printf(", slots %u to %u", plan_slot_first(c->plan, (unsigned)p->number),
               plan_slot_first(c->plan, (unsigned)p->number + 1) - 1);
    putchar('\n');
}

/* end: everything was read. */
static int
end(struct convert *c)
{
    if (copy_end(c) < 0 || output_publish(&c->output) < 0) {
        say(c->output.error);
        return TOOL_INVALID;
    }
    if (c->options->quiet)
        return TOOL_OK;
    say_losses(c);
    for (unsigned i = 0; i < c->output.count && strcmp(c->options->output, "-") != 0; i++)
        say_part(c, c->output.parts[i]);
    return TOOL_OK;
}

/* ---- all of it ---- */

/* run: all passes. */
static int
run(struct convert *c, char **files)
{
    bool is_pipe = strcmp(files[0], "-") == 0;
    int status = is_pipe ? TOOL_OK : read_heads(c, files);

    if (status == TOOL_OK && c->files > 1)
        status = compare_keys(c, files);
    if (status == TOOL_OK)
        status = each_file(c, files, copy_events(c));
    return status == TOOL_OK ? end(c) : status;
}

/* check_inputs: what cannot be read twice. */
static bool
check_inputs(int count, char **files)
{
    for (int i = 0; count > 1 && i < count; i++)
        if (strcmp(files[i], "-") == 0) {
            fputs("stillframe-rdb: convert: standard input cannot be one of several files\n",
                  stderr);
            return false;
        }
    return true;
}

static int
with_state(struct convert *c, char **files)
{
    const struct plan *p = c->plan;
    struct output_options o = {.path = c->options->output,
                               .is_many = p->split != SPLIT_NOT,
                               .at_once = p->split == SPLIT_SLOT || p->split == SPLIT_DB,
                               .expected = p->split == SPLIT_SLOT ? (unsigned)p->split_by : 1,
                               .force = c->options->force,
                               .lz4 = p->compress == COMPRESS_LZ4,
                               .level = p->level,
                               .inputs = files,
                               .input_count = (int)c->files};
    int r, status;

    if ((r = output_open(&c->output, &o)) < 0)
        return fail_without(r);
    if ((r = rdb_enc_init(&c->enc, &c->output.head.sink, RDB_VERSION_DEFAULT, false)) < 0)
        status = fail_without(r);
    else
        status = run(c, files);
    rdb_enc_fini(&c->enc);
    output_close(&c->output);
    return status;
}

int
tool_convert(int count, char **files, const struct tool_options *options)
{
    struct tool_options o = *options; /* its texts stay the caller's */
    struct convert *c;
    struct plan plan;
    int r, status;

    if ((status = plan_make(&plan, &o)) != TOOL_OK)
        return status;
    if (!check_inputs(count, files))
        return TOOL_USAGE;
    o.skip_unknown = plan.lossy || options->skip_unknown;
    if ((c = calloc(1, sizeof *c)) == NULL)
        return fail_without(-ENOMEM);
    c->plan = &plan;
    c->options = &o;
    c->version = plan.version;
    c->files = (unsigned)count;
    merge_init(&c->merge, plan.rule);
    r = recode_open(&c->recode);
    status = r < 0 ? fail_without(r) : with_state(c, files);
    recode_close(&c->recode);
    merge_fini(&c->merge);
    free(c->libraries);
    free(c);
    return status;
}
