/* server/commands/scripting/function.c - FCALL FCALL_RO FUNCTION. */
#include <stdlib.h>

#include "mm/base/glob.h"
#include "mm/base/must.h"
#include "mm/base/num.h"
#include "server/commands/scripting/kill.h"
#include "server/data/db/dump.h"
#include "server/exec/args.h"
#include "server/exec/exec.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/scripts/function.h"
#include "server/scripts/script.h"

#include "server/commands/scripting/function.def"

/* ---- calls ---- */

static void
fcall(struct client *c, bool readonly)
{
    const struct function *f = function_find(c->argv[1]);
    int64_t keys;

    if (f == NULL)
        reply_error(c, "ERR Function not found");
    else if (!num_parse(c->argv[2].ptr, c->argv[2].len, &keys))
        reply_error(c, "ERR Bad number of keys provided");
    else if (keys > c->argc - 3)
        reply_error(c, "ERR Number of keys can't be greater than number of args");
    else if (keys < 0)
        reply_error(c, "ERR Number of keys can't be negative");
    else
        function_run(c, f, (int)keys, readonly);
}

/* FCALL function numkeys key ... arg ... -> what the function returns. */
void
cmd_fcall(struct client *c)
{
    fcall(c, false);
}

void
cmd_fcall_ro(struct client *c)
{
    fcall(c, true);
}

/* ---- changes ---- */

static void
reply_change(struct client *c, bool good, const struct library_error *why)
{
    if (good)
        reply_ok(c);
    else
        reply_error(c, why->text);
}

/* FUNCTION LOAD [REPLACE] code -> the library's name. */
void
cmd_function_load(struct client *c)
{
    struct library_error why = {.text = ""};
    struct slice name;
    int code = c->argc - 1;
    bool replace = false;

    for (int i = 2; i < code; i++) {
        if (!arg_is(c, i, "REPLACE")) {
            reply_errorf(c, "ERR Unknown option given: %.*s", slice_shown(c->argv[i]),
                         c->argv[i].ptr);
            return;
        }
        replace = true;
    }
    if (library_load(c->argv[code], replace, &why, &name))
        reply_bulk(c, name.ptr, name.len);
    else
        reply_error(c, why.text);
}

/* FUNCTION DELETE name -> OK. */
void
cmd_function_delete(struct client *c)
{
    struct library_error why = {.text = ""};

    reply_change(c, library_delete(c->argv[2], &why), &why);
}

/* FUNCTION FLUSH [ASYNC | SYNC] -> OK. */
void
cmd_function_flush(struct client *c)
{
    struct library_error why = {.text = ""};

    if (c->argc > 3)
        reply_subcommand_syntax(c);
    else if (c->argc == 3 && !arg_is(c, 2, "SYNC") && !arg_is(c, 2, "ASYNC"))
        reply_error(c, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    else
        reply_change(c, library_flush(&why), &why);
}

/* FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE] -> OK. */
void
cmd_function_restore(struct client *c)
{
    enum library_policy policy = LIBRARY_APPEND;
    struct library_error why = {.text = ""};

    if (c->argc > 4) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 4 && arg_is(c, 3, "REPLACE")) {
        policy = LIBRARY_REPLACE;
    } else if (c->argc == 4 && arg_is(c, 3, "FLUSH")) {
        policy = LIBRARY_FLUSH;
    } else if (c->argc == 4 && !arg_is(c, 3, "APPEND")) {
        reply_error(
            c, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
        return;
    }
    reply_change(c, library_restore(c->argv[2], policy, &why), &why);
}

/* ---- questions ---- */

/* FUNCTION DUMP -> all libraries, as FUNCTION RESTORE takes them. */
void
cmd_function_dump(struct client *c)
{
    uint8_t *payload;
    size_t len;

    if (dump_libraries(&payload, &len) < 0) {
        reply_no_memory(c);
        return;
    }
    reply_bulk(c, payload, len);
    free(payload);
}

/* What FUNCTION LIST was asked for. */
struct listing {
    struct client *client;
    struct slice pattern; /* ptr NULL: all */
    bool with_code;
    size_t count;
};

static void
list_flags(struct client *c, unsigned flags)
{
    unsigned flag, count = 0;

    for (unsigned i = 0; script_flag_name(i, &flag) != NULL; i++)
        count += (flags & flag) != 0;
    reply_set(c, count);
    for (unsigned i = 0; script_flag_name(i, &flag) != NULL; i++)
        if ((flags & flag) != 0)
            reply_status(c, script_flag_name(i, &flag));
}

static void
list_function(void *ctx, const struct function_info *f)
{
    struct client *c = ctx;

    reply_map(c, 3);
    reply_bulk_text(c, "name");
    reply_bulk(c, f->name.ptr, f->name.len);
    reply_bulk_text(c, "description");
    if (f->has_description)
        reply_bulk(c, f->description.ptr, f->description.len);
    else
        reply_null(c);
    reply_bulk_text(c, "flags");
    list_flags(c, f->flags);
}

static void
list_library(void *ctx, const struct library_info *l)
{
    struct listing *list = ctx;
    struct client *c = list->client;

    if (list->pattern.ptr != NULL && !glob_match(list->pattern, l->name, true))
        return;
    list->count++;
    reply_map(c, list->with_code ? 4 : 3);
    reply_bulk_text(c, "library_name");
    reply_bulk(c, l->name.ptr, l->name.len);
    reply_bulk_text(c, "engine");
    reply_bulk_text(c, "LUA");
    reply_bulk_text(c, "functions");
    reply_array(c, l->library != NULL ? library_functions(l->library) : 0);
    if (l->library != NULL)
        library_each_function(l->library, list_function, c);
    if (!list->with_code)
        return;
    reply_bulk_text(c, "library_code");
    reply_bulk(c, l->code.ptr, l->code.len);
}

/* FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] -> the libraries. */
void
cmd_function_list(struct client *c)
{
    struct listing list = {.client = c};
    size_t token;

    for (int i = 2; i < c->argc; i++) {
        if (!list.with_code && arg_is(c, i, "WITHCODE")) {
            list.with_code = true;
        } else if (list.pattern.ptr == NULL && arg_is(c, i, "LIBRARYNAME")) {
            if (++i == c->argc) {
                reply_error(c, "ERR library name argument was not given");
                return;
            }
            list.pattern = c->argv[i];
        } else {
            reply_errorf(c, "ERR Unknown argument %.*s", slice_shown(c->argv[i]), c->argv[i].ptr);
            return;
        }
    }
    token = reply_array_deferred(c);
    libraries_each(list_library, &list);
    reply_array_close(c, token, list.count);
}

static void
show_running(struct client *c)
{
    struct function_call call;

    if (!function_running(&call)) {
        reply_null(c);
        return;
    }
    reply_map(c, 3);
    reply_bulk_text(c, "name");
    reply_bulk_text(c, call.name);
    reply_bulk_text(c, "command");
    reply_array(c, (size_t)call.caller->argc);
    for (int i = 0; i < call.caller->argc; i++)
        reply_bulk(c, call.caller->argv[i].ptr, call.caller->argv[i].len);
    reply_bulk_text(c, "duration_ms");
    reply_int(c, call.ms);
}

/* FUNCTION STATS -> what runs, and what there is. */
void
cmd_function_stats(struct client *c)
{
    struct function_figures figures;
    struct function_call call;

    if (script_is_busy() && !function_running(&call)) {
        reply_error(c, exec_gates.busy);
        return;
    }
    function_figures(&figures);
    reply_map(c, 2);
    reply_bulk_text(c, "running_script");
    show_running(c);
    reply_bulk_text(c, "engines");
    reply_map(c, 1);
    reply_bulk_text(c, "LUA");
    reply_map(c, 2);
    reply_bulk_text(c, "libraries_count");
    reply_int(c, (int64_t)figures.libraries);
    reply_bulk_text(c, "functions_count");
    reply_int(c, (int64_t)figures.functions);
}

/* ---- the end of it ---- */

void
scripting_kill(struct client *c, bool is_function)
{
    const char *busy;

    switch (script_kill(is_function, &busy)) {
    case SCRIPT_KILLED:
        reply_ok(c);
        return;
    case SCRIPT_NOT_BUSY:
        reply_error(c, "NOTBUSY No scripts in execution right now.");
        return;
    case SCRIPT_OTHER_KIND:
        reply_error(c, busy);
        return;
    case SCRIPT_UNKILLABLE:
        reply_error(
            c,
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.");
        return;
    }
    never("a way to end a script that nobody knows");
}

/* FUNCTION KILL -> OK, and the function that runs ends with an error. */
void
cmd_function_kill(struct client *c)
{
    scripting_kill(c, true);
}
