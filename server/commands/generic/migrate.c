/* server/commands/generic/migrate.c - MIGRATE.  What becomes of it: migration.h. */
#include "server/commands/generic/migration.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/generic/generic.def"

enum { DEFAULT_TIMEOUT_MS = 1000, FIRST_OPTION = 6 };

/* parse_option: the option at i, and in *end the argument behind it.  False: an error was
 * replied. */
static bool
parse_option(struct client *c, int i, struct migration_plan *plan, int *end)
{
    int left = c->argc - i - 1;

    *end = i + 1;
    if (arg_is(c, i, "copy")) {
        plan->copy = true;
    } else if (arg_is(c, i, "replace")) {
        plan->replace = true;
    } else if (arg_is(c, i, "auth") && left >= 1) {
        plan->user_at = 0;
        plan->password_at = i + 1;
        *end = i + 2;
    } else if (arg_is(c, i, "auth2") && left >= 2) {
        plan->user_at = i + 1;
        plan->password_at = i + 2;
        *end = i + 3;
    } else if (arg_is(c, i, "keys") && c->argv[3].len > 0) {
        reply_error(
            c,
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return false;
    } else if (arg_is(c, i, "keys")) {
        plan->first_key = i + 1;
        plan->key_count = left;
        *end = c->argc;
    } else {
        reply_syntax(c);
        return false;
    }
    return true;
}

static bool
parse(struct client *c, struct migration_plan *plan)
{
    *plan = (struct migration_plan){.first_key = 3, .key_count = 1};
    for (int i = FIRST_OPTION; i < c->argc;)
        if (!parse_option(c, i, plan, &i))
            return false;
    if (!arg_int(c, 5, &plan->timeout_ms) || !arg_int(c, 4, &plan->target_db))
        return false;
    if (plan->timeout_ms <= 0)
        plan->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (plan->timeout_ms > INT32_MAX)
        plan->timeout_ms = INT32_MAX; /* 24 days */
    return true;
}

/* MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
 * [KEYS key ...] -> OK, or NOKEY. */
void
cmd_migrate(struct client *c)
{
    struct migration_plan plan;

    if (!parse(c, &plan))
        return;
    if (!client_may_wait(c))
        reply_error(
            c,
            "ERR MIGRATE is not possible within a transaction or a script: it has to wait for the target, and others go on meanwhile");
    else
        migration_start(c, &plan);
}
