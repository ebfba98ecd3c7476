/* server/exec/auth.c - the password, and what must not be shown of commands that hold one. */
#include "server/exec/auth.h"

#include <stdint.h>
#include <string.h>

#include "server/config/config.h"
#include "server/exec/args.h"
#include "server/exec/cmd.h"
#include "server/figures/stats.h"
#include "server/net/client.h"

bool
auth_is_needed(void)
{
    return client_password_is_set;
}

static bool
apply(const struct config *next, const char **why)
{
    (void)why;
    client_password_is_set = next->requirepass.len > 0;
    return true;
}

void
auth_init(void)
{
    config_follow("requirepass", apply);
}

/* Every byte of what was given is looked at, whatever the first ones were. */
static bool
is_password(struct slice given)
{
    size_t len = config.requirepass.len;
    uint8_t differs = given.len != len;

    for (size_t i = 0; i < given.len; i++)
        differs |= (uint8_t)(given.ptr[i] ^ config.requirepass.at[i % (len + 1)]);
    return differs == 0;
}

bool
auth_log_in(struct client *c, struct slice user, struct slice password)
{
    bool known = slice_equal(user, SLICE("default"));

    if (!known || (auth_is_needed() && !is_password(password))) {
        stats.auth_failures++;
        return false;
    }
    c->authenticated = true;
    return true;
}

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

bool
auth_is_secret(const struct client *c, int i)
{
    uint32_t flags = c->cmd != NULL ? c->cmd->flags : 0;

    if ((flags & CMD_SECRET_ALL) != 0)
        return i >= 1;
    if ((flags & CMD_SECRET_AUTH) != 0)
        for (int at = 2; at < i; at++)
            if (arg_is(c, at, "AUTH"))
                return i <= at + 2;
    if ((flags & CMD_SECRET_OPTIONS) != 0)
        return i >= 3 && i % 2 == 1 && holds_password(c->argv[i - 1]);
    return false;
}
