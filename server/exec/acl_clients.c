/* server/exec/acl_clients.c - for whom clients act, and what becomes of them when that changes. */
#include "mm/base/nametab.h"
#include "server/exec/acl_impl.h"
#include "server/exec/pubsub.h"
#include "server/net/attachment.h"
#include "server/net/client.h"

struct acl_user *
acl_user_of(const struct client *c)
{
    return c->user != NULL ? c->user : acl_default();
}

void
acl_act_as(struct client *c, struct acl_user *u)
{
    c->user = u;
    c->is_limited = acl_is_limited(acl_user_of(c));
}

/* Nobody works for it any more: a client that has sent the command which says so gets its reply. */
static void
send_away(struct client *c)
{
    acl_act_as(c, NULL);
    c->authenticated = false;
    if (c->running)
        c->close_after_reply = true;
    else
        client_close(c);
}

struct listening {
    const struct acl_user *user;
    bool is_pattern, may;
};

static void
check_subscription(void *ctx, struct nametab_node *n)
{
    struct listening *l = ctx;

    l->may &= acl_may_listen(l->user, n->name, l->is_pattern);
}

static bool
may_listen_to_all(struct client *c, const struct acl_user *u)
{
    struct listening l = {.user = u, .may = true};

    for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++) {
        l.is_pattern = kind == PUBSUB_PATTERN;
        pubsub_each(c, kind, check_subscription, &l);
    }
    return l.may;
}

void
acl_clients_changed(const struct acl_user *u)
{
    bool is_default = u == acl_default();
    struct client *next;

    if (is_default) {
        client_password_is_set = acl_needs_password(u);
        client_starts_limited = acl_is_limited(u);
    }
    for (struct client *c = client_first(); c != NULL; c = next) {
        next = c->next;
        if (acl_user_of(c) != u)
            continue;
        c->is_limited = acl_is_limited(u);
        if (client_is_subscriber(c) && !may_listen_to_all(c, u))
            send_away(c);
    }
}

void
acl_clients_close(const struct acl_user *u)
{
    struct client *next;

    for (struct client *c = client_first(); c != NULL; c = next) {
        next = c->next;
        if (c->user == u)
            send_away(c);
    }
}
