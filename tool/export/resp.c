/* tool/export/resp.c - stillframe-rdb resp, aof: which keys, and how each is written. */
#include "tool/export/resp.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/export/resp_state.h"

/* way_of: how a key is written. */
static enum resp_way
way_of(const struct resp *x, const struct rdb_key *k)
{
    if (k->expire_at_ms != -1 && k->expire_at_ms <= x->now_ms && strcmp(x->o->expired, "drop") == 0)
        return RESP_NOTHING;
    if (x->o->restore &&
        (x->server == NULL || resp_payload_is_for(x->server, x->values.walk.version, k->type)))
        return RESP_PAYLOAD;
    return RESP_COMMANDS;
}

/* expiry_of: as it is written.  Times before 1970 are as long past as 1970's first millisecond, and
 * a server could take them for something else. */
static int64_t
expiry_of(const struct resp *x, const struct rdb_key *k)
{
    if (k->expire_at_ms == -1)
        return -1;
    if (k->expire_at_ms <= x->now_ms && strcmp(x->o->expired, "persist") == 0)
        return -1;
    return k->expire_at_ms < 1 ? 1 : k->expire_at_ms;
}

static int
on_key(void *ctx, const struct rdb_key *k)
{
    struct resp *x = ctx;

    x->is_there = x->is_empty = false;
    if ((x->way = way_of(x, k)) == RESP_NOTHING)
        return RDB_SKIP_VALUE;
    x->name = resp_names_key(&x->names, k->name);
    if (x->names.name.failed)
        return resp_fail(x, -ENOMEM, "the key's name");
    x->next_db = resp_names_db(&x->names, k->db);
    x->kind = k->kind;
    x->type = k->type;
    x->expire_at_ms = expiry_of(x, k);
    x->idle_s = k->idle_s;
    x->freq = k->freq;
    x->entries = 0;
    if (x->way == RESP_PAYLOAD)
        resp_payload_begin(&x->payload, k->type);
    return 0;
}

static void
end_commands(struct resp *x)
{
    resp_stream_finish(x);
    resp_value_finish(x);
    if (!x->is_there || x->expire_at_ms == -1)
        return;
    resp_command(&x->out, 3);
    resp_bulk(&x->out, SLICE("PEXPIREAT"));
    resp_bulk(&x->out, x->name);
    resp_number(&x->out, x->expire_at_ms);
}

static int
on_end(void *ctx)
{
    struct resp *x = ctx;
    enum resp_way way = x->way;

    x->way = RESP_NOTHING;
    if (tool_out_failed(&x->out))
        return WALK_ENOUGH; /* which is told in the end */
    if (way == RESP_COMMANDS)
        end_commands(x);
    return way == RESP_PAYLOAD ? resp_restore_end(x) : 0;
}

/* on_finding: a payload is as the file has it, mended or not: who gets it should know. */
static int
on_finding(void *ctx, const struct rdb_finding *f)
{
    struct resp *x = ctx;

    x->is_empty |= f->kind == RDB_FINDING_EMPTY_KEY;
    if ((x->way != RESP_NOTHING || f->key[0] == '\0') && !x->o->quiet)
        tool_warn(&x->values.walk.run, f->offset, f->within, f->text, f->key);
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct resp *x = ctx;

    tool_unknown_add(&x->unknown, key, what);
    return 0;
}

/* on_field_expiring: without anybody for these the decoder refuses such hashes. */
static int
on_field_expiring(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx, (void)field, (void)value, (void)expire_at_ms;
    return 0;
}

/* is_ours: the server here keeps libraries, but has no command that takes one. */
static bool
is_ours(const struct resp *x)
{
    return x->server != NULL && server_has(x->server, SERVER_OURS);
}

static int
on_function(void *ctx, struct slice code)
{
    struct resp *x = ctx;
    struct slice words[] = {SLICE("FUNCTION"), SLICE("LOAD"), SLICE("REPLACE"), code};

    if (resp_knows(x, SERVER_FUNCTIONS) && !is_ours(x))
        resp_put(&x->out, words, 4);
    else
        x->lost_libraries++;
    return 0;
}

/* events_of: who writes payloads only wants no elements; functions come along with all keys. */
static struct walk_events
events_of(const struct resp *x, const struct value_events *values, bool is_all)
{
    bool wants_elements = !x->o->restore || x->server != NULL;
    struct walk_events ev = {
        .rdb = {.key = on_key, .value_end = on_end, .hash_field_expiring = on_field_expiring}};

    if (wants_elements)
        ev.rdb = values_rdb_events(values);
    if (x->o->restore) {
        ev.rdb.plain_string = NULL; /* it has no raw bytes */
        ev.rdb.raw = resp_restore_raw;
    }
    ev.rdb.finding = on_finding;
    ev.rdb.unknown = on_unknown;
    if (is_all)
        ev.rdb.function = on_function;
    return ev;
}

/* tell_lost: what the server will not have, or not take as it is set up. */
static void
tell_lost(const struct resp *x)
{
    const struct {
        uint64_t count;
        const char *what;
    } lost[] = {
        {x->lost_libraries, "function libraries left out, %s has none"},
        {x->lost_expiries, "expiry times of hash fields left out, %s has none"},
        {x->lost_counters, "counters of streams and groups left out, %s has none"},
        {x->long_strings, "values above 512 MB, which %s takes with a higher proto-max-bulk-len"},
    };
    const char *server = x->server == NULL ? "a server" : x->server->name;

    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        if (lost[i].count == 0 || x->o->quiet)
            continue;
        fputs("stillframe-rdb: ", stderr);
        fprintf(stderr, lost[i].what, server);
        fprintf(stderr, ": %llu\n", (unsigned long long)lost[i].count);
    }
}

/* write_files: all of them into x->out. */
static int
write_files(struct resp *x, int count, char **files, struct selection *selection)
{
    struct value_events values = {.key = on_key, .end = on_end};
    struct walk_events ev;
    int status = TOOL_OK;

    resp_value_events(&values);
    if (x->o->restore)
        values.string = NULL;
    resp_stream_events(&values);
    values.key = on_key;
    ev = events_of(x, &values, selection_is_all(selection));
    x->values.events = &values;
    for (int i = 0; i < count && status == TOOL_OK && !tool_out_failed(&x->out); i++) {
        x->unknown = (struct tool_unknown){.total = 0};
        status = walk_file(&x->values.walk, files[i], &ev, selection, x->o);
        if (!x->o->quiet)
            tool_unknown_report(&x->unknown, &x->values.walk.run);
    }
    walk_fini(&x->values.walk);
    tell_lost(x);
    return status;
}

static int
write_all(struct resp *x, int count, char **files, struct selection *selection)
{
    int status, closed;

    if (resp_payload_init(&x->payload) < 0) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        return TOOL_INVALID;
    }
    if ((status = tool_out_open(&x->out, x->o->output, x->o->force)) == TOOL_OK) {
        status = write_files(x, count, files, selection);
        closed = tool_out_close(&x->out, status == TOOL_OK);
        status = status == TOOL_OK ? closed : status;
    }
    resp_payload_fini(&x->payload);
    return status;
}

/* find_server: of --for.  False: reported. */
static bool
find_server(struct resp *x)
{
    const char *name = x->o->server;

    if (name == NULL)
        return true;
    if ((x->server = server_of(slice_of(name, strlen(name)))) == NULL) {
        server_unknown("for", slice_of(name, strlen(name)));
        return false;
    }
    if (x->server->types < RDB_TYPE_STREAM) {
        fprintf(stderr,
                "stillframe-rdb: --for=%s: servers before redis-5.0 lack commands that are "
                "needed here; they load dumps: stillframe-rdb convert\n",
                name);
        return false;
    }
    return true;
}

int
tool_resp(int count, char **files, const struct tool_options *o)
{
    struct selection *selection = selection_new(o);
    struct resp *x = calloc(1, sizeof *x);
    int status = TOOL_USAGE;

    if (x == NULL) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(ENOMEM));
        status = TOOL_INVALID;
    } else if (selection != NULL) {
        x->o = o;
        x->batch.out = &x->out;
        x->now_ms = (int64_t)time(NULL) * 1000;
        if (resp_names_init(&x->names, o) && find_server(x))
            status = write_all(x, count, files, selection);
        resp_names_fini(&x->names);
        text_free(&x->group);
        text_free(&x->consumer);
    }
    free(x);
    selection_free(selection);
    return status;
}

int
tool_aof(int count, char **files, const struct tool_options *o)
{
    return tool_resp(count, files, o);
}
