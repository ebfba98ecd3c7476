/* tool/export/json.c - stillframe-rdb json: one document.
 *
 *     [
 *     {"file":"dump.rdb","rdb_version":10,"keys":[
 *     {...},
 *     {...}
 *     ],"functions":[{"name":"lib","code":"..."}],"aux":[["redis-ver","7.0.15"],...]}
 *     ]
 *
 * What stands in the file before keys, or between them, is kept until these are written. */
#include "snapshot/rdb/rdb_dec.h"
#include "tool/export/text.h"
#include "tool/export/text_files.h"

struct json {
    struct text_files files;        /* first */
    uint64_t begun;                 /* files */
    struct tool_out functions, aux; /* of the one in hand */
    uint64_t libraries, aux_fields;
};

static void
put_string(const struct json *j, struct tool_out *out, const char *before, struct slice s)
{
    tool_out_text(out, before);
    json_string(out, s, j->files.keys.binary);
}

static int
on_start(void *ctx, int version)
{
    struct json *j = ctx;
    struct tool_out *out = &j->files.out;

    put_string(j, out, j->begun++ == 0 ? "[\n{\"file\":" : ",\n{\"file\":",
               slice_of(j->files.path, strlen(j->files.path)));
    tool_out_text(out, ",\"rdb_version\":");
    json_int(out, version);
    tool_out_text(out, ",\"keys\":[\n");
    return 0;
}

static int
on_function(void *ctx, struct slice code)
{
    struct json *j = ctx;
    struct tool_out *out = &j->functions;

    put_string(j, out, j->libraries++ == 0 ? "{\"name\":" : ",{\"name\":", rdb_library_name(code));
    put_string(j, out, ",\"code\":", code);
    tool_out_text(out, "}");
    return 0;
}

/* on_aux: a field may be there several times (old servers keep scripts so). */
static int
on_aux(void *ctx, struct slice key, struct slice value)
{
    struct json *j = ctx;
    struct tool_out *out = &j->aux;

    put_string(j, out, j->aux_fields++ == 0 ? "[" : ",[", key);
    put_string(j, out, ",", value);
    tool_out_text(out, "]");
    return 0;
}

static void
begin_file(struct text_files *t)
{
    struct json *j = (struct json *)t;

    t->keys.keys = 0;
    j->libraries = j->aux_fields = 0;
}

static void
end_file(struct text_files *t)
{
    struct json *j = (struct json *)t;

    tool_out_text(&t->out, t->keys.keys == 0 ? "],\"functions\":[" : "\n],\"functions\":[");
    tool_out_move(&j->functions, &t->out);
    tool_out_text(&t->out, "],\"aux\":[");
    tool_out_move(&j->aux, &t->out);
    tool_out_text(&t->out, "]}");
}

static int
end(struct text_files *t)
{
    const struct json *j = (const struct json *)t;

    tool_out_text(&t->out, j->begun == 0 ? "[]\n" : "\n]\n");
    if (tool_out_failed(&j->functions) || tool_out_failed(&j->aux))
        return TOOL_INVALID; /* why is said when they are closed */
    return TOOL_OK;
}

int
tool_json(int count, char **files, const struct tool_options *o)
{
    struct json j = {.files = {.begin_file = begin_file, .end_file = end_file, .end = end}};
    struct rdb_events *ev = &j.files.events.rdb;
    int status;

    text_files_init(&j.files, count, o, NULL);
    j.files.keys.before = ",\n";
    ev->start = on_start;
    ev->function = on_function;
    ev->aux = on_aux;
    status = text_worse(tool_out_open_spill(&j.functions), tool_out_open_spill(&j.aux));
    if (status == TOOL_OK)
        status = text_files_run(&j.files, count, files);
    status = text_worse(status, tool_out_close(&j.functions, false));
    return text_worse(status, tool_out_close(&j.aux, false));
}
