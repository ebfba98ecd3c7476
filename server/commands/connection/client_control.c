/* server/commands/connection/client_control.c - CLIENT subcommands that change connections: KILL
 * PAUSE REPLY UNBLOCK ... */
#include "mm/base/clock.h"
#include "mm/base/num.h"
#include "server/commands/connection/client_name.h"
#include "server/exec/acl.h"
#include "server/exec/args.h"
#include "server/exec/block.h"
#include "server/exec/handlers.h"
#include "server/exec/pause.h"
#include "server/net/client.h"
#include "server/net/output.h"
#include "server/net/reply.h"

#include "server/commands/connection/connection.def"

/* ---- KILL ---- */

struct kill_filter {
    uint64_t id; /* 0: any */
    int type;    /* -1: any */
    struct slice addr, laddr;
    const struct acl_user *user; /* NULL: any */
    bool skip_me;
};

static bool
text_is(const char *text, struct slice s)
{
    return strlen(text) == s.len && memcmp(text, s.ptr, s.len) == 0;
}

static bool
parse_filter(struct client *c, int i, struct kill_filter *f)
{
    struct slice value = c->argv[i + 1];
    int64_t id;

    if (arg_is(c, i, "id")) {
        if (!num_parse(value.ptr, value.len, &id) || id <= 0) {
            reply_error(c, "ERR client-id should be greater than 0");
            return false;
        }
        f->id = (uint64_t)id;
    } else if (arg_is(c, i, "type")) {
        if ((f->type = client_type_number(c, i + 1)) < 0)
            return false;
    } else if (arg_is(c, i, "addr")) {
        f->addr = value;
    } else if (arg_is(c, i, "laddr")) {
        f->laddr = value;
    } else if (arg_is(c, i, "user")) {
        if ((f->user = acl_find(value)) == NULL) {
            reply_errorf(c, "ERR No such user '%.*s'", slice_shown(value), value.ptr);
            return false;
        }
    } else if (arg_is(c, i, "skipme") && (arg_is(c, i + 1, "yes") || arg_is(c, i + 1, "no"))) {
        f->skip_me = arg_is(c, i + 1, "yes");
    } else {
        reply_syntax(c);
        return false;
    }
    return true;
}

static bool
matches(const struct client *c, const struct client *killer, const struct kill_filter *f)
{
    return !(f->id != 0 && c->id != f->id) && !(f->type >= 0 && client_type(c) != f->type) &&
           !(f->user != NULL && acl_user_of(c) != f->user) &&
           !(f->addr.ptr != NULL && !text_is(c->addr, f->addr)) &&
           !(f->laddr.ptr != NULL && !text_is(c->laddr, f->laddr)) && !(f->skip_me && c == killer);
}

static int64_t
kill_matching(struct client *killer, const struct kill_filter *f)
{
    struct client *c = client_first(), *next;
    int64_t killed = 0;

    for (; c != NULL; c = next) {
        next = c->next;
        if (!matches(c, killer, f))
            continue;
        if (c == killer)
            c->close_after_reply = true;
        else
            client_close(c);
        killed++;
    }
    return killed;
}

/* CLIENT KILL addr -> OK; CLIENT KILL filter value ... -> how many. */
void
cmd_client_kill(struct client *c)
{
    struct kill_filter f = {.type = -1, .skip_me = c->argc > 3};

    if (c->argc == 3) {
        f.addr = c->argv[2];
        if (kill_matching(c, &f) > 0)
            reply_ok(c);
        else
            reply_error(c, "ERR No such client");
        return;
    }
    for (int i = 2; i < c->argc; i += 2) {
        if (i + 1 >= c->argc) {
            reply_syntax(c);
            return;
        }
        if (!parse_filter(c, i, &f))
            return;
    }
    reply_int(c, kill_matching(c, &f));
}

/* ---- PAUSE ---- */

/* CLIENT PAUSE milliseconds [WRITE | ALL] -> OK. */
void
cmd_client_pause(struct client *c)
{
    int64_t ms;

    if (c->argc > 4) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 4 && !arg_is(c, 3, "write") && !arg_is(c, 3, "all")) {
        reply_error(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!arg_timeout_ms(c, 2, &ms))
        return;
    pause_begin(clock_now.ms + ms, c->argc < 4 || arg_is(c, 3, "all"));
    reply_ok(c);
}

/* CLIENT UNPAUSE -> OK. */
void
cmd_client_unpause(struct client *c)
{
    pause_end();
    reply_ok(c);
}

/* ---- one connection ---- */

/* CLIENT UNBLOCK id [TIMEOUT | ERROR] -> 1, or 0 if it was not blocked. */
void
cmd_client_unblock(struct client *c)
{
    enum block_end how = BLOCK_TIMEOUT;
    struct client *other;
    int64_t id;

    if (c->argc > 4) {
        reply_subcommand_syntax(c);
        return;
    }
    if (c->argc == 4) {
        if (!arg_is(c, 3, "timeout") && !arg_is(c, 3, "error")) {
            reply_error(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
            return;
        }
        how = arg_is(c, 3, "error") ? BLOCK_ERROR : BLOCK_TIMEOUT;
    }
    if (!arg_int(c, 2, &id))
        return;
    other = client_find((uint64_t)id);
    reply_int(c, other != NULL && !other->is_reader && block_end(other, how));
}

/* CLIENT REPLY ON | OFF | SKIP -> OK, or nothing. */
void
cmd_client_reply(struct client *c)
{
    if (arg_is(c, 2, "on")) {
        c->reply_off = false;
        output_unmute(c); /* after SKIP too */
        reply_ok(c);
    } else if (arg_is(c, 2, "off")) {
        c->reply_off = true;
        if (c->in_exec) /* what else EXEC has to tell */
            output_mute(c);
    } else if (arg_is(c, 2, "skip")) {
        c->reply_skip = !c->reply_off;
    } else {
        reply_syntax(c);
    }
}

static bool
parse_switch(struct client *c, bool *ret)
{
    *ret = arg_is(c, 2, "on");
    if (*ret || arg_is(c, 2, "off"))
        return true;
    reply_syntax(c);
    return false;
}

/* CLIENT NO-EVICT ON | OFF -> OK. */
void
cmd_client_no_evict(struct client *c)
{
    bool on;

    if (!parse_switch(c, &on))
        return;
    c->no_evict = on;
    reply_ok(c);
}

/* CLIENT NO-TOUCH ON | OFF -> OK. */
void
cmd_client_no_touch(struct client *c)
{
    bool on;

    if (!parse_switch(c, &on))
        return;
    c->no_touch = on;
    reply_ok(c);
}
