/* server/commands/cmd_server.c - commands about the server: CONFIG TIME SHUTDOWN DEBUG. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "server/client.h"
#include "server/commands/cmd.h"
#include "server/commands/debug.h"
#include "server/config.h"
#include "server/log.h"
#include "server/reply.h"
#include "server/server.h"
#include "server/shutdown.h"
#include "server/text.h"
#include "snapshot/snapshot.h"

/* ---- CONFIG ---- */

static void
count_pair(void *ctx, const char *name, const char *value)
{
    size_t *count = ctx;

    (void)name;
    (void)value;
    ++*count;
}

static void
reply_config_pair(void *ctx, const char *name, const char *value)
{
    struct client *c = ctx;

    reply_bulk_text(c, name);
    reply_bulk_text(c, value);
}

/* CONFIG GET pattern ... -> names and values. */
void
cmd_config_get(struct client *c)
{
    size_t count = 0;

    config_each_match(c->argv + 2, c->argc - 2, count_pair, &count);
    reply_map(c, count);
    config_each_match(c->argv + 2, c->argc - 2, reply_config_pair, c);
}

/* CONFIG SET name value ... -> OK; all or nothing. */
void
cmd_config_set(struct client *c)
{
    struct text why = {0};

    if (c->argc % 2 != 0) {
        reply_syntax(c);
        return;
    }
    if (config_set(c->argv + 2, (c->argc - 2) / 2, client_is_permitted(c, config.enable_protected_configs),
                   &why) == 0)
        reply_ok(c);
    else
        reply_error(c, text_str(&why));
    text_free(&why);
}

/* CONFIG RESETSTAT -> OK. */
void
cmd_config_resetstat(struct client *c)
{
    server_reset_stats();
    reply_ok(c);
}

/* CONFIG REWRITE -> OK, and the file says what holds. */
void
cmd_config_rewrite(struct client *c)
{
    int r = 0;

    if (config_file()[0] == '\0')
        reply_error(c, "ERR The server is running without a config file");
    else if ((r = config_rewrite()) == 0)
        reply_ok(c);
    else
        reply_errorf(c, "ERR Rewriting config file: %s", strerror(-r));
    if (r < 0)
        log_line(LOG_WARNING, "CONFIG REWRITE failed: %s", strerror(-r));
    else if (config_file()[0] != '\0')
        log_line(LOG_NOTICE, "CONFIG REWRITE executed with success.");
}

/* TIME -> seconds and microseconds, as text. */
void
cmd_time(struct client *c)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    reply_array(c, 2);
    reply_bulk_int(c, ts.tv_sec);
    reply_bulk_int(c, ts.tv_nsec / 1000);
}

/* ---- SHUTDOWN ---- */

static bool
parse_shutdown(const struct client *c, struct shutdown_request *rq, bool *ret_abort)
{
    for (int i = 1; i < c->argc; i++) {
        if (arg_is(c, i, "NOSAVE"))
            rq->nosave = true;
        else if (arg_is(c, i, "SAVE"))
            rq->save = true;
        else if (arg_is(c, i, "FORCE"))
            rq->force = true;
        else if (arg_is(c, i, "ABORT"))
            *ret_abort = true;
        else if (!arg_is(c, i, "NOW")) /* there are no replicas to wait for: it is always now */
            return false;
    }
    return !(rq->save && rq->nosave) && !(*ret_abort && c->argc > 2);
}

/* SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] -> no reply, but the end; or an error. */
void
cmd_shutdown(struct client *c)
{
    struct shutdown_request rq = {.save = false};
    bool abort = false;

    if (!parse_shutdown(c, &rq, &abort)) {
        reply_syntax(c);
        return;
    }
    if (abort) {
        reply_error(c, "ERR No shutdown in progress.");
        return;
    }
    if (server.loading) { /* what is loaded so far must not replace the file that it comes from */
        rq.save = false;
        rq.nosave = true;
    }
    if (shutdown_begin(&rq) < 0)
        reply_error(c, "ERR Errors trying to SHUTDOWN. Check logs.");
    else
        c->close_after_reply = true;
}

/* ---- DEBUG ---- */

/* DEBUG SLEEP seconds -> OK, after them.  Nothing else is served meanwhile. */
static void
debug_sleep(struct client *c)
{
    char text[32] = "";
    struct timespec ts;
    double seconds;

    memcpy(text, c->argv[2].ptr, c->argv[2].len < sizeof text ? c->argv[2].len : sizeof text - 1);
    seconds = strtod(text, NULL);
    if (!(seconds > 0))
        seconds = 0;
    if (seconds > 1e6)
        seconds = 1e6;
    ts.tv_sec = (time_t)seconds;
    ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
    snapshot_offline();
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
    snapshot_online();
    reply_ok(c);
}

static void
debug_set_active_expire(struct client *c)
{
    server.active_expire = !(c->argv[2].len == 1 && c->argv[2].ptr[0] == '0');
    reply_ok(c);
}

static void
debug_error(struct client *c)
{
    reply_errorf(c, "%.*s", (int)(c->argv[2].len < 512 ? c->argv[2].len : 512), c->argv[2].ptr);
}

static void
debug_log(struct client *c)
{
    log_line(LOG_WARNING, "DEBUG LOG: %.*s", (int)(c->argv[2].len < 512 ? c->argv[2].len : 512),
             c->argv[2].ptr);
    reply_ok(c);
}

static void
protocol_numbers(struct client *c, void (*begin)(struct client *c, size_t count))
{
    begin(c, 3);
    for (int i = 0; i < 3; i++)
        reply_int(c, i);
}

static void
protocol_pairs(struct client *c)
{
    reply_map(c, 3);
    for (int i = 0; i < 3; i++) {
        reply_int(c, i);
        reply_bool(c, i == 1);
    }
}

static void
protocol_attribute(struct client *c)
{
    if (c->resp >= 3) {
        reply_attribute(c, 1);
        reply_bulk_text(c, "key-popularity");
        reply_array(c, 2);
        reply_bulk_text(c, "key:123");
        reply_int(c, 90);
    }
    reply_bulk_text(c, "Some real reply following the attribute");
}

/* DEBUG PROTOCOL kind -> a reply of that kind: for tests of client libraries. */
static void
debug_protocol(struct client *c)
{
    if (arg_is(c, 2, "string"))
        reply_bulk_text(c, "Hello World");
    else if (arg_is(c, 2, "integer"))
        reply_int(c, 12345);
    else if (arg_is(c, 2, "double"))
        reply_double(c, 3.141);
    else if (arg_is(c, 2, "null"))
        reply_null(c);
    else if (arg_is(c, 2, "bignum"))
        reply_big_number(c, "1234567999999999999999999999999999999");
    else if (arg_is(c, 2, "array"))
        protocol_numbers(c, reply_array);
    else if (arg_is(c, 2, "set"))
        protocol_numbers(c, reply_set);
    else if (arg_is(c, 2, "map"))
        protocol_pairs(c);
    else if (arg_is(c, 2, "attrib"))
        protocol_attribute(c);
    else if (arg_is(c, 2, "true") || arg_is(c, 2, "false"))
        reply_bool(c, arg_is(c, 2, "true"));
    else if (arg_is(c, 2, "verbatim"))
        reply_verbatim(c, "txt", "This is a verbatim\nstring", 25);
    else
        reply_error(c, "ERR Wrong protocol type name. Please use one of the following: "
                       "string|integer|double|null|array|set|map|attrib|verbatim|true|false");
}

static void debug_help(struct client *c);

static const struct debug_row {
    const char *name;
    int min_args, max_args; /* behind the subcommand's name; max -1: any number */
    void (*handler)(struct client *c);
    const char *args, *summary;
} debug_rows[] = {
    {"digest", 0, 0, debug_digest, "", "Answers a digest of all data, expiry times left out."},
    {"digest-value", 0, -1, debug_digest_value, "<key> [<key> ...]", "Answers a digest of each value."},
    {"error", 1, 1, debug_error, "<text>", "Answers the text as an error."},
    {"log", 1, 1, debug_log, "<message>", "Writes a line into the log."},
    {"object", 1, 2, debug_object, "<key>", "Answers how a value is stored."},
    {"populate", 1, 3, debug_populate, "<count> [<prefix>] [<size>]", "Makes keys prefix:0, prefix:1, ..."},
    {"protocol", 1, 1, debug_protocol, "<kind>", "Answers a reply of that kind."},
    {"reload", 0, -1, debug_reload, "[NOSAVE] [NOFLUSH] [MERGE]",
     "Saves, empties the databases and loads again."},
    {"set-active-expire", 1, 1, debug_set_active_expire, "<0|1>",
     "Whether expired keys go on their own, or only when they are looked at."},
    {"sleep", 1, 1, debug_sleep, "<seconds>", "Stops serving for a while. Decimals are allowed."},
    {"help", 0, 0, debug_help, "", "Prints this help."},
};
enum { DEBUG_ROWS = sizeof debug_rows / sizeof debug_rows[0] };

static void
debug_help(struct client *c)
{
    reply_array(c, 1 + 2 * DEBUG_ROWS);
    reply_status(c, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (int i = 0; i < DEBUG_ROWS; i++) {
        struct text t = {0};
        for (const char *p = debug_rows[i].name; *p != '\0'; p++)
            text_addf(&t, "%c", *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        text_addf(&t, "%s%s", debug_rows[i].args[0] != '\0' ? " " : "", debug_rows[i].args);
        reply_status(c, text_str(&t));
        text_free(&t);
        text_addf(&t, "    %s", debug_rows[i].summary);
        reply_status(c, text_str(&t));
        text_free(&t);
    }
}

/* DEBUG subcommand ... -> see the table. */
void
cmd_debug(struct client *c)
{
    int args = c->argc - 2;

    for (int i = 0; i < DEBUG_ROWS; i++) {
        const struct debug_row *row = &debug_rows[i];
        if (!arg_is(c, 1, row->name) || args < row->min_args || (row->max_args >= 0 && args > row->max_args))
            continue;
        row->handler(c);
        return;
    }
    reply_errorf(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                 (int)(c->argv[1].len < 128 ? c->argv[1].len : 128), c->argv[1].ptr);
}
