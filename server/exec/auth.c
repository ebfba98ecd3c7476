/* server/exec/auth.c - see auth.h. */
#include "server/exec/auth.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/exec/acl.h"
#include "server/exec/acl_log.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/net/attachment.h"
#include "server/net/client.h"

bool
auth_is_open(void)
{
    return acl_takes_any_password(acl_default());
}

static bool
apply(const struct config *next, const char **why)
{
    if (acl_set_default_password((struct slice){next->requirepass.at, next->requirepass.len}))
        return true;
    *why = "no memory";
    return false;
}

static void
describe(const struct client *c, struct client_facts *facts)
{
    facts->user = acl_name(acl_user_of(c));
}

int
auth_init(void)
{
    static const struct client_attachment attachment = {.describe = describe};

    if (!acl_init())
        return -ENOMEM;
    client_attach(&attachment);
    config_follow("requirepass", apply);
    return 0;
}

void
auth_begin(struct client *c)
{
    acl_act_as(c, NULL);
    c->authenticated = !client_password_is_set;
}

/* ---- what was refused ---- */

static void
note(const struct client *c, enum acl_verdict why, enum acl_context context, struct slice object)
{
    const char *name = acl_name(acl_user_of(c));

    acl_log_denied(c, why, context, object, (struct slice){name, strlen(name)});
}

static enum acl_context
context_of(const struct client *c)
{
    return c->multi != NULL || c->in_exec ? ACL_FROM_MULTI : ACL_FROM_CLIENT;
}

/* The verdict on these words for the client, noted. */
static enum acl_verdict
judge(const struct client *c, const struct cmd *cmd, const struct slice *argv, int argc,
      enum acl_context context, int *ret_at)
{
    enum acl_verdict verdict = acl_check(c->user, cmd, argv, argc, ret_at);
    struct slice command = {cmd->full_name, strlen(cmd->full_name)};

    if (verdict != ACL_GRANTED)
        note(c, verdict, context, verdict == ACL_DENIED_COMMAND ? command : argv[*ret_at]);
    return verdict;
}

/* NULL: none. */
static const char *
object(const struct client *c, const struct cmd *cmd, const struct slice *argv, int argc,
       enum acl_context context)
{
    static struct text text; /* kept: somebody may be refused again */
    int at = 0;
    enum acl_verdict verdict = judge(c, cmd, argv, argc, context, &at);

    if (verdict == ACL_GRANTED)
        return NULL;
    text_clear(&text);
    text.failed = false;
    text_add(&text, context == ACL_FROM_SCRIPT ? "NOPERM ACL failure in script: " : "NOPERM ");
    acl_denial(&text, verdict, c->user, cmd, argv[at], false);
    return text.failed ? "NOPERM" : text_str(&text);
}

const char *
auth_objection(struct client *c, const struct cmd *cmd)
{
    return object(c, cmd, c->argv, c->argc, context_of(c));
}

const char *
auth_script_objection(struct client *caller, const struct cmd *cmd, const struct slice *argv,
                      int argc)
{
    return likely(!caller->is_limited) ? NULL : object(caller, cmd, argv, argc, ACL_FROM_SCRIPT);
}

bool
auth_script_may(const struct client *caller, const struct cmd *cmd, const struct slice *argv,
                int argc)
{
    return !caller->is_limited || acl_check(caller->user, cmd, argv, argc, NULL) == ACL_GRANTED;
}

#define CHANGED(reason)                                                                            \
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "   \
    "call. This command is no longer allowed for the following reason: " reason

const char *
auth_objection_at_exec(struct client *c, const struct cmd *cmd)
{
    int at = 0;

    switch (judge(c, cmd, c->argv, c->argc, ACL_FROM_MULTI, &at)) {
    case ACL_GRANTED:
        break;
    case ACL_DENIED_KEY:
        return CHANGED("no permission to touch the specified keys");
    case ACL_DENIED_CHANNEL:
        return CHANGED("no permission to access one of the channels used as arguments");
    case ACL_DENIED_COMMAND:
        return CHANGED("no permission to execute the command or subcommand");
    case ACL_DENIED_AUTH:
        never("a command's verdict is about no password");
    }
    return NULL;
}

bool
auth_log_in(struct client *c, struct slice user, struct slice password)
{
    struct acl_user *u = acl_find(user);

    if (!acl_password_is(u, password)) {
        acl_log_denied(c, ACL_DENIED_AUTH, context_of(c), c->argv[0], user);
        return false;
    }
    acl_act_as(c, u);
    c->authenticated = true;
    return true;
}

/* ---- what must not be shown ---- */

static bool
holds_password(struct slice name)
{
    static const char *const names[] = {"requirepass", "masterauth", "masteruser",
                                        "tls-key-file-pass", "tls-client-key-file-pass"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is_word(name, names[i]))
            return true;
    return false;
}

/* HELLO ... AUTH user password; MIGRATE ... AUTH password, or AUTH2 user password. */
static bool
is_behind_auth(const struct client *c, int i)
{
    int words = (c->cmd->flags & CMD_WRITE) != 0 ? 1 : 2;

    for (int at = 2; at < i; at++)
        if (arg_is(c, at, "AUTH") || arg_is(c, at, "AUTH2"))
            return i <= at + (arg_is(c, at, "AUTH") ? words : 2);
    return false;
}

bool
auth_is_secret(const struct client *c, int i)
{
    uint32_t flags = c->cmd != NULL ? c->cmd->flags : 0;

    if ((flags & CMD_SECRET_ALL) != 0)
        return i >= (c->cmd->parent != NULL ? 2 : 1);
    if ((flags & CMD_SECRET_AUTH) != 0 && is_behind_auth(c, i))
        return true;
    if ((flags & CMD_SECRET_OPTIONS) != 0)
        return i >= 3 && i % 2 == 1 && holds_password(c->argv[i - 1]);
    return false;
}
