/* tool/export/ndjson.c - stillframe-rdb ndjson: a key a line. */
#include "tool/export/text.h"
#include "tool/export/text_files.h"
#include "tool/values/json_key.h"

struct ndjson {
    struct json_keys keys; /* first */
    struct text_files files;
    const struct tool_options *o;
    const char *path; /* of the file in hand */
    bool has_several;
    uint64_t libraries, unknown;
};

static int
on_function(void *ctx, struct slice code)
{
    struct ndjson *n = ctx;

    (void)code;
    n->libraries++;
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct ndjson *n = ctx;

    (void)key;
    (void)what;
    n->unknown++;
    return 0;
}

static struct ndjson *
ndjson_of(struct text_files *t)
{
    return (struct ndjson *)(void *)t->walk;
}

static void
begin_file(struct text_files *t, const char *path)
{
    struct ndjson *n = ndjson_of(t);

    n->path = path;
    n->keys.file = n->has_several ? path : NULL;
    n->libraries = n->unknown = 0;
}

static void
end_file(struct text_files *t)
{
    const struct ndjson *n = ndjson_of(t);

    text_left_out(n->o, n->path, n->libraries, "function library is", "function libraries are",
                  " (json has them)");
    text_left_out(n->o, n->path, n->unknown, "value of a module is", "values of modules are", "");
}

int
tool_ndjson(int count, char **files, const struct tool_options *o)
{
    struct walk_events events = {.rdb = values_rdb_events(&json_key_events)};
    struct tool_out out;
    struct ndjson n = {
        .keys = {.out = &out, .binary = binary_of(o->binary), .before = "", .after = "\n"},
        .o = o,
        .has_several = count > 1};
    int status, kept;

    events.rdb.function = on_function;
    events.rdb.unknown = on_unknown;
    n.files = (struct text_files){.walk = &n.keys.values.walk,
                                  .out = &out,
                                  .events = &events,
                                  .begin = begin_file,
                                  .end = end_file};
    if ((status = tool_out_open(&out, o->output, o->force)) != TOOL_OK)
        return status;
    if ((status = json_keys_open(&n.keys)) == TOOL_OK) {
        status = text_files_run(&n.files, count, files, o);
        kept = json_keys_close(&n.keys);
        status = status != TOOL_OK ? status : kept;
    }
    kept = tool_out_close(&out, status == TOOL_OK);
    return status != TOOL_OK ? status : kept;
}
