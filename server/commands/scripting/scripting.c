/* server/commands/scripting/scripting.c - EVAL EVAL_RO EVALSHA EVALSHA_RO SCRIPT. */
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/scripts/script.h"

#include "server/commands/scripting/kill.h"
#include "server/commands/scripting/scripting.def"

/* read_key_count: numkeys, and so many words at least behind it. */
static bool
read_key_count(struct client *c, int64_t *ret)
{
    if (!arg_int(c, 2, ret))
        return false;
    if (*ret > c->argc - 3) {
        reply_error(c, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    if (*ret < 0) {
        reply_error(c, "ERR Number of keys can't be negative");
        return false;
    }
    return true;
}

static void
eval(struct client *c, bool readonly)
{
    struct script *s;
    int64_t keys;

    if (read_key_count(c, &keys) && (s = script_keep(c, c->argv[1], false)) != NULL)
        script_run(c, s, (int)keys, readonly);
}

static void
evalsha(struct client *c, bool readonly)
{
    struct script *s;
    int64_t keys;

    if (!read_key_count(c, &keys))
        return;
    if ((s = script_find(c->argv[1])) == NULL)
        reply_error(c, "NOSCRIPT No matching script. Please use EVAL.");
    else
        script_run(c, s, (int)keys, readonly);
}

/* EVAL script numkeys key ... arg ... -> what the script returns. */
void
cmd_eval(struct client *c)
{
    eval(c, false);
}

void
cmd_eval_ro(struct client *c)
{
    eval(c, true);
}

/* EVALSHA sha1 numkeys key ... arg ... -> what the script returns. */
void
cmd_evalsha(struct client *c)
{
    evalsha(c, false);
}

void
cmd_evalsha_ro(struct client *c)
{
    evalsha(c, true);
}

/* SCRIPT LOAD script -> its SHA-1. */
void
cmd_script_load(struct client *c)
{
    const struct script *s = script_keep(c, c->argv[2], true);

    if (s != NULL)
        reply_bulk(c, script_sha(s), SCRIPT_SHA_BYTES);
}

/* SCRIPT EXISTS sha1 ... -> 1 or 0 for each. */
void
cmd_script_exists(struct client *c)
{
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        reply_int(c, script_find(c->argv[i]) != NULL);
}

/* SCRIPT FLUSH [ASYNC | SYNC] -> OK. */
void
cmd_script_flush(struct client *c)
{
    if (c->argc > 3 || (c->argc == 3 && !arg_is(c, 2, "SYNC") && !arg_is(c, 2, "ASYNC"))) {
        reply_error(c, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    script_flush();
    reply_ok(c);
}

/* SCRIPT KILL -> OK, and the script that runs ends with an error. */
void
cmd_script_kill(struct client *c)
{
    scripting_kill(c, false);
}

/* SCRIPT DEBUG YES|SYNC|NO -> OK for NO. */
void
cmd_script_debug(struct client *c)
{
    if (arg_is(c, 2, "NO"))
        reply_ok(c);
    else if (arg_is(c, 2, "YES") || arg_is(c, 2, "SYNC"))
        reply_error(c, "ERR There is no debugger for Lua scripts here: only SCRIPT DEBUG NO");
    else
        reply_error(c, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}
