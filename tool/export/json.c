/* tool/export/json.c - stillframe-rdb json: one document.
 *
 *     [
 *     {"file":"dump.rdb","rdb_version":10,"keys":[
 *     {...},
 *     {...}
 *     ],"functions":[{"name":"lib","code":"..."}],"aux":[["redis-ver","7.0.15"],...]}
 *     ]
 *
 * What stands in the file between and before keys is kept until they are written. */
#include "snapshot/rdb/rdb.h"
#include "tool/export/text.h"
#include "tool/export/text_files.h"
#include "tool/values/json_key.h"

struct json {
    struct json_keys keys; /* first */
    struct text_files files;
    const struct tool_options *o;
    const char *path; /* of the file in hand */
    uint64_t done;    /* files before it */
    struct tool_out functions, aux;
    uint64_t libraries, aux_fields, unknown;
};

static void
put(struct tool_out *out, const char *text)
{
    tool_out_text(out, text);
}

static int
on_start(void *ctx, int version)
{
    struct json *j = ctx;
    struct tool_out *out = j->keys.out;

    put(out, j->done == 0 ? "[\n" : ",\n");
    put(out, "{\"file\":");
    json_string(out, slice_of(j->path, strlen(j->path)), j->keys.binary);
    put(out, ",\"rdb_version\":");
    json_int(out, version);
    put(out, ",\"keys\":[\n");
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    struct json *j = ctx;

    put(&j->functions, j->libraries++ == 0 ? "{\"name\":" : ",{\"name\":");
    json_string(&j->functions, rdb_library_name(code), j->keys.binary);
    put(&j->functions, ",\"code\":");
    json_string(&j->functions, code, j->keys.binary);
    put(&j->functions, "}");
    return 0;
}

/* on_aux: a field may be there several times (old servers keep scripts so). */
static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct json *j = ctx;

    put(&j->aux, j->aux_fields++ == 0 ? "[" : ",[");
    json_string(&j->aux, key, j->keys.binary);
    put(&j->aux, ",");
    json_string(&j->aux, value, j->keys.binary);
    put(&j->aux, "]");
    return 0;
}

static int
on_unknown(void *ctx, const struct rdb_key *key, const char *what)
{
    struct json *j = ctx;

    (void)key;
    (void)what;
    j->unknown++;
    return 0;
}

static struct json *
json_of(struct text_files *t)
{
    return (struct json *)(void *)t->walk;
}

static void
begin_file(struct text_files *t, const char *path)
{
    struct json *j = json_of(t);

    j->path = path;
    j->keys.keys = 0;
    j->libraries = j->aux_fields = j->unknown = 0;
}

static void
end_file(struct text_files *t)
{
    struct json *j = json_of(t);
    struct tool_out *out = j->keys.out;

    put(out, j->keys.keys == 0 ? "],\"functions\":[" : "\n],\"functions\":[");
    tool_out_move(&j->functions, out);
    put(out, "],\"aux\":[");
    tool_out_move(&j->aux, out);
    put(out, "]}");
    j->done++;
    text_left_out(j->o, j->path, j->unknown, "value of a module is", "values of modules are", "");
}

/* run: everything is open. */
static int
run(struct json *j, int count, char **files)
{
    int status = text_files_run(&j->files, count, files, j->o);

    if (status == TOOL_OK)
        put(j->keys.out, j->done == 0 ? "[]\n" : "\n]\n");
    return status;
}

/* worse: of two exit states. */
static int
worse(int a, int b)
{
    return a != TOOL_OK ? a : b;
}

/* run_kept: with what is kept for the end of a file. */
static int
run_kept(struct json *j, int count, char **files)
{
    int status;

    if ((status = json_keys_open(&j->keys)) != TOOL_OK)
        return status;
    status = worse(tool_out_open_spill(&j->functions), tool_out_open_spill(&j->aux));
    if (status == TOOL_OK)
        status = run(j, count, files);
    status = worse(status, tool_out_close(&j->functions, false));
    status = worse(status, tool_out_close(&j->aux, false));
    return worse(status, json_keys_close(&j->keys));
}

int
tool_json(int count, char **files, const struct tool_options *o)
{
    struct walk_events events = {.rdb = values_rdb_events(&json_key_events)};
    struct tool_out out;
    struct json j = {
        .keys = {.out = &out, .binary = binary_of(o->binary), .before = ",\n", .after = ""},
        .o = o};
    int status;

    events.rdb.start = on_start;
    events.rdb.function = on_function;
    events.rdb.aux = on_aux;
    events.rdb.unknown = on_unknown;
    j.files = (struct text_files){.walk = &j.keys.values.walk,
                                  .out = &out,
                                  .events = &events,
                                  .begin = begin_file,
                                  .end = end_file};
    if ((status = tool_out_open(&out, o->output, o->force)) != TOOL_OK)
        return status;
    status = run_kept(&j, count, files);
    return worse(status, tool_out_close(&out, status == TOOL_OK));
}
