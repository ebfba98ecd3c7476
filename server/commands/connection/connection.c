/* server/commands/connection/connection.c - commands about the connection itself: PING ECHO QUIT
 * SELECT HELLO. */
#include <stdlib.h>
#include <string.h>

#include "mm/base/num.h"
#include "mm/base/version.h"
#include "server/commands/connection/client_name.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/auth.h"
#include "server/exec/handlers.h"
#include "server/exec/monitor.h"
#include "server/exec/multi.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/exec/watch.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"

#include "server/commands/connection/connection.def"

/* A RESP2 client with subscriptions takes arrays only. */
static void
reply_subscriber_pong(struct client *c)
{
    reply_array(c, 2);
    reply_bulk_text(c, "pong");
    if (c->argc == 2)
        reply_bulk(c, c->argv[1].ptr, c->argv[1].len);
    else
        reply_bulk(c, "", 0);
}

/* PING [message] -> PONG, or the message. */
void
cmd_ping(struct client *c)
{
    if (c->argc > 2)
        arg_wrong_count(c);
    else if (client_is_subscriber(c) && c->resp == 2)
        reply_subscriber_pong(c);
    else if (c->argc == 2)
        reply_bulk(c, c->argv[1].ptr, c->argv[1].len);
    else
        reply_raw(c, "+PONG\r\n", 7);
}

/* ECHO message -> the message. */
void
cmd_echo(struct client *c)
{
    reply_bulk(c, c->argv[1].ptr, c->argv[1].len);
}

/* QUIT -> OK, and the connection is closed. */
void
cmd_quit(struct client *c)
{
    reply_ok(c);
    c->close_after_reply = true;
}

/* SELECT index -> OK. */
void
cmd_select(struct client *c)
{
    if (arg_db_number(c, 1, &c->db_index))
        reply_ok(c);
}

/* ---- HELLO ---- */

struct hello {
    int64_t version; /* 0: stays as it is */
    bool with_name, with_auth;
    struct slice name, user, password;
};

static bool
authenticate(struct client *c, struct slice user, struct slice password)
{
    if (auth_log_in(c, user, password))
        return true;
    reply_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

/* AUTH [user] password -> OK. */
void
cmd_auth(struct client *c)
{
    if (c->argc > 3) {
        reply_syntax(c);
    } else if (c->argc == 2 && auth_is_open()) {
        reply_error(
            c,
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?");
    } else if (authenticate(c, c->argc == 2 ? SLICE("default") : c->argv[1],
                            c->argv[c->argc - 1])) {
        reply_ok(c);
    }
}

static bool
parse_hello(struct client *c, struct hello *h)
{
    if (c->argc < 2)
        return true;
    if (!num_parse(c->argv[1].ptr, c->argv[1].len, &h->version)) {
        reply_error(c, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (h->version < 2 || h->version > 3) {
        reply_error(c, "NOPROTO unsupported protocol version");
        return false;
    }
    for (int i = 2; i < c->argc; i++) {
        int left = c->argc - 1 - i;
        if (arg_is(c, i, "AUTH") && left >= 2) {
            h->user = c->argv[i + 1];
            h->password = c->argv[i + 2];
            h->with_auth = true;
            i += 2;
        } else if (arg_is(c, i, "SETNAME") && left >= 1) {
            h->with_name = true;
            h->name = c->argv[++i];
            if (!client_name_is_good(c, h->name, "Client names"))
                return false;
        } else {
            reply_errorf(c, "ERR Syntax error in HELLO option '%.*s'", slice_shown(c->argv[i]),
                         c->argv[i].ptr);
            return false;
        }
    }
    return true;
}

/* HELLO [version [AUTH user password] [SETNAME name]] -> facts about the server, in the version
 * asked for. */
void
cmd_hello(struct client *c)
{
    struct hello h = {0};

    if (!parse_hello(c, &h) || (h.with_auth && !authenticate(c, h.user, h.password)))
        return;
    if (!c->authenticated) {
        reply_error(
            c,
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
        return;
    }
    if (h.with_name && !client_set_name(c, &c->name, h.name, "Client names"))
        return;
    if (h.version != 0)
        c->resp = (int)h.version;
    reply_map(c, 7);
    reply_bulk_text(c, "server");
    reply_bulk_text(c, "redis");
    reply_bulk_text(c, "version");
    reply_bulk_text(c, STILLFRAME_REDIS_VERSION);
    reply_bulk_text(c, "proto");
    reply_int(c, c->resp);
    reply_bulk_text(c, "id");
    reply_int(c, (int64_t)c->id);
    reply_bulk_text(c, "mode");
    reply_bulk_text(c, "standalone");
    reply_bulk_text(c, "role");
    reply_bulk_text(c, "master");
    reply_bulk_text(c, "modules");
    reply_array(c, 0);
}

/* ---- RESET ---- */

/* RESET -> RESET, and the connection is as new, but for its number. */
void
cmd_reset(struct client *c)
{
    if (c->multi != NULL)
        multi_discard(c);
    watch_forget(c);
    pubsub_forget(c);
    monitor_forget(c);
    tracking_end(c);
    c->db_index = 0;
    c->resp = 2;
    free(c->name);
    c->name = NULL;
    if (c->reply_off)
        output_unmute(c);
    c->no_evict = c->no_touch = c->reply_off = false;
    c->copy_wishes = 0;
    auth_begin(c);
    reply_status(c, "RESET");
}
