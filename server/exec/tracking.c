/* server/exec/tracking.c - clients that are told of changes: how, whom, and what they have read. */
#include "server/exec/tracking.h"

#include <stdlib.h>

#include "mm/base/must.h"
#include "server/config/config.h"
#include "server/data/db/listener.h"
#include "server/exec/cmd.h"
#include "server/exec/exec_impl.h"
#include "server/exec/tracking_impl.h"
#include "server/net/attachment.h"
#include "server/net/client.h"

struct tracking_clients tracking_clients;

/* ---- numbers ---- */

/* Numbers that are free, as a stack. */
static uint32_t *free_numbers; /* [owned] with room for all there are */
static uint32_t free_count;

static bool
reserve_number(void)
{
    struct tracking_clients *all = &tracking_clients;
    uint32_t room = all->room > 0 ? 2 * all->room : 16;
    struct tracking_client **at;
    uint32_t *numbers;

    if (free_count > 0 || all->count < all->room)
        return true;
    if (all->room > UINT32_MAX / 4)
        return false;
    if ((numbers = realloc(free_numbers, room * sizeof *numbers)) == NULL)
        return false;
    free_numbers = numbers;
    if ((at = realloc(all->at, room * sizeof(struct tracking_client *))) == NULL)
        return false;
    all->at = at;
    all->room = room;
    return true;
}

void
tracking_forget_gone(struct tracking_client *t)
{
    if (t->client != NULL || t->items > 0)
        return;
    tracking_clients.at[t->number] = NULL;
    free_numbers[free_count++] = t->number;
    free(t);
}

/* get: what is kept with the client; NULL: no memory. */
static struct tracking_client *
get(struct client *c)
{
    struct tracking_clients *all = &tracking_clients;
    struct tracking_client *t;

    if (c->tracking != NULL)
        return c->tracking;
    if (!reserve_number() || (t = calloc(1, sizeof *t)) == NULL)
        return NULL;
    t->client = c;
    t->number = free_count > 0 ? free_numbers[--free_count] : all->count++;
    all->at[t->number] = t;
    all->alive++;
    c->tracking = t;
    return t;
}

/* ---- who is told instead ---- */

static void
unlink_from_redirect(struct tracking_client *t)
{
    t->redirect_id = 0;
    if (t->redirect == NULL)
        return;
    *t->redirector_link = t->next_redirector;
    if (t->next_redirector != NULL)
        t->next_redirector->redirector_link = t->redirector_link;
    t->redirect = NULL;
}

static void
link_to_redirect(struct tracking_client *t, struct client *redirect)
{
    struct tracking_client *to = redirect->tracking;

    t->redirect = redirect;
    t->redirect_id = redirect->id;
    t->next_redirector = to->redirectors;
    t->redirector_link = &to->redirectors;
    if (to->redirectors != NULL)
        to->redirectors->redirector_link = &t->next_redirector;
    to->redirectors = t;
}

/* leave_redirectors: they learn of it when there is something to tell. */
static void
leave_redirectors(struct tracking_client *to)
{
    for (struct tracking_client *t = to->redirectors; t != NULL; t = t->next_redirector)
        t->redirect = NULL;
    to->redirectors = NULL;
}

/* ---- CLIENT TRACKING ---- */

unsigned
tracking_modes(const struct client *c)
{
    return c->tracking != NULL ? c->tracking->modes : 0;
}

static void
count_on(int more)
{
    tracking_clients.on += (uint32_t)more;
    if (tracking_clients.on > 0)
        exec_state.onlookers |= ONLOOKER_TRACKING;
    else
        exec_state.onlookers &= ~(unsigned)ONLOOKER_TRACKING;
    tracking_table_note();
}

bool
tracking_begin(struct client *c, unsigned modes, struct client *redirect)
{
    struct tracking_client *t = get(c);
    unsigned kept = TRACKING_ON | TRACKING_CACHING;

    if (t == NULL || (redirect != NULL && get(redirect) == NULL))
        return false;
    unlink_from_redirect(t);
    if (redirect != NULL)
        link_to_redirect(t, redirect);
    if ((t->modes & TRACKING_ON) == 0)
        count_on(1);
    t->modes = TRACKING_ON | (t->modes & kept) | modes;
    return true;
}

bool
tracking_add_prefix(struct client *c, struct slice prefix)
{
    must((tracking_modes(c) & TRACKING_BCAST) != 0);
    return tracking_prefix_add(c->tracking, prefix);
}

void
tracking_end(struct client *c)
{
    struct tracking_client *t = c->tracking;

    if (t == NULL || (t->modes & TRACKING_ON) == 0)
        return;
    tracking_prefix_leave(t);
    unlink_from_redirect(t);
    t->modes = 0;
    count_on(-1);
}

void
tracking_cache(struct client *c)
{
    must((tracking_modes(c) & (TRACKING_OPTIN | TRACKING_OPTOUT)) != 0);
    c->tracking->modes |= TRACKING_CACHING;
}

int64_t
tracking_redirect_id(const struct client *c)
{
    return (tracking_modes(c) & TRACKING_ON) != 0 ? (int64_t)c->tracking->redirect_id : -1;
}

bool
tracking_prefix(const struct client *c, unsigned i, struct slice *ret)
{
    if (c->tracking == NULL || i >= c->tracking->prefix_count)
        return false;
    *ret = tracking_prefix_name(c->tracking->prefixes[i]->prefix);
    return true;
}

bool
tracking_overlap(const struct client *c, struct slice prefix, struct slice *ret)
{
    return c->tracking != NULL && tracking_prefix_overlap(c->tracking, prefix, ret);
}

/* ---- reading ---- */

struct reading {
    struct tracking_client *reader;
    const struct slice *argv;
};

static void
read_key(void *ctx, int at, uint32_t flags)
{
    const struct reading *r = ctx;

    if ((flags & KEY_NOT_KEY) == 0)
        tracking_table_add(r->reader, r->argv[at]);
}

static void
read_keys(struct tracking_client *t, const struct client *c, const struct cmd *cmd)
{
    struct reading r = {.reader = t, .argv = c->argv};

    if (cmd->plain_keys && (cmd->specs[0].flags & KEY_NOT_KEY) == 0)
        for (int i = cmd->specs[0].at, end = key_spec_plain_end(&cmd->specs[0], c->argc); i < end;
             i += cmd->specs[0].step)
            tracking_table_add(t, c->argv[i]);
    else
        (void)key_spec_find(cmd, c->argv, c->argc, read_key, &r);
}

/* is_read: does the command read the keys that it names?  Of a script only the commands do that it
 * calls, and whatever runs scripts may have no keys. */
static bool
is_read(const struct cmd *cmd)
{
    return (cmd->flags & (CMD_READONLY | CMD_NO_MANDATORY_KEYS)) == CMD_READONLY;
}

/* is_asked_for: is it told of what it reads now? */
static bool
is_asked_for(const struct tracking_client *t)
{
    bool caches = (t->modes & TRACKING_CACHING) != 0;

    if ((t->modes & (TRACKING_ON | TRACKING_BCAST)) != TRACKING_ON)
        return false;
    return (t->modes & TRACKING_OPTIN) != 0 ? caches : (t->modes & TRACKING_OPTOUT) == 0 || !caches;
}

/* is_of_client: CLIENT's subcommands: no other command of connections has any.  CLIENT CACHING is
 * good beyond them. */
static bool
is_of_client(const struct cmd *cmd)
{
    return cmd != NULL && cmd->parent != NULL && (cmd->acl_categories & ACL_CONNECTION) != 0;
}

void
tracking_done(struct client *c, const struct cmd *cmd)
{
    if (c->tracking != NULL && c->multi == NULL && !c->in_exec && c->block == NULL &&
        !is_of_client(cmd))
        c->tracking->modes &= ~(unsigned)TRACKING_CACHING;
}

void
tracking_look(struct client *c, const struct cmd *cmd)
{
    const struct client *sender = exec_state.sender != NULL ? exec_state.sender : c;
    struct tracking_client *t = sender->tracking;

    if (t != NULL && is_read(cmd) && is_asked_for(t))
        read_keys(t, c, cmd);
    tracking_done(c, cmd);
}

/* ---- changes ---- */

/* changer: whose command changes something now; NULL: nobody's. */
static const struct client *
changer(void)
{
    const struct client *c = exec_state.sender != NULL ? exec_state.sender : exec_state.running;

    return c != NULL && (c->running || c == exec_state.served) ? c : NULL;
}

void
tracking_key_changed(struct slice key, unsigned class)
{
    const struct client *by =
        (class & (KEY_EVENT_EXPIRED | KEY_EVENT_EVICTED)) == 0 ? changer() : NULL;
    const struct tracking_client *t = by != NULL ? by->tracking : NULL;
    bool is_silent = t != NULL && (t->modes & TRACKING_NOLOOP) != 0;

    tracking_prefix_changed(key, by != NULL ? by->id : 0);
    tracking_table_changed(key, is_silent ? t : NULL);
}

void
tracking_emptied(void)
{
    for (uint32_t i = 0; i < tracking_clients.count; i++) {
        struct tracking_client *t = tracking_clients.at[i];

        if (t != NULL && (t->modes & TRACKING_ON) != 0)
            tracking_tell_all(t);
    }
    tracking_table_drop();
}

/* ---- clients ---- */

static size_t
memory_of(const struct client *c)
{
    const struct tracking_client *t = c->tracking;

    if (t == NULL)
        return 0;
    return sizeof *t + t->pending.room + t->prefix_count * sizeof(struct subscription_to) +
           t->prefix_room * sizeof(struct subscription_to *);
}

static void
describe(const struct client *c, struct client_facts *facts)
{
    unsigned modes = tracking_modes(c);

    facts->is_tracking = (modes & TRACKING_ON) != 0;
    facts->is_broadcast_to = (modes & TRACKING_BCAST) != 0;
    facts->redirect_is_broken = (modes & TRACKING_BROKEN) != 0;
    facts->redirect_id = tracking_redirect_id(c);
}

static void
leave(struct client *c)
{
    struct tracking_client *t = c->tracking;

    if (t == NULL)
        return;
    tracking_end(c);
    leave_redirectors(t);
    tracking_drop_pending(t);
    c->tracking = NULL;
    t->client = NULL;
    must(tracking_clients.alive > 0);
    tracking_clients.alive--;
    tracking_table_gone(t);
    tracking_forget_gone(t);
}

void
tracking_init(void)
{
    static const struct client_attachment attachment = {
        .bytes = memory_of, .describe = describe, .on_close = leave, .on_free = leave};

    client_attach(&attachment);
    tracking_table_init();
    tracking_prefix_init();
}

void
tracking_figures(struct tracking_figures *ret)
{
    *ret = (struct tracking_figures){.clients = tracking_clients.on,
                                     .keys = tracking_table_keys(),
                                     .items = tracking_table_items(),
                                     .prefixes = tracking_prefix_count(),
                                     .bytes = tracking_table_bytes() + tracking_prefix_bytes()};
}

/* ---- checks ---- */

static void
verify_client(const struct tracking_client *t)
{
    const struct tracking_client *to = t->redirect != NULL ? t->redirect->tracking : NULL;

    must(t->client == NULL ? t->items > 0 && t->modes == 0 : t->client->tracking == t);
    must((t->modes & TRACKING_ON) != 0 || (t->modes == 0 && t->redirect_id == 0));
    must((t->modes & TRACKING_BCAST) != 0 || t->prefix_count == 0);
    must(t->redirect == NULL || (t->redirect_id != 0 && to != NULL && *t->redirector_link == t));
}

void
tracking_verify(void)
{
    const struct tracking_clients *all = &tracking_clients;
    uint32_t on = 0, alive = 0, used = 0;

    for (uint32_t i = 0; i < all->count; i++) {
        const struct tracking_client *t = all->at[i];

        if (t == NULL)
            continue;
        must(t->number == i);
        verify_client(t);
        used++;
        on += (t->modes & TRACKING_ON) != 0;
        alive += t->client != NULL;
    }
    must(on == all->on && alive == all->alive && used + free_count == all->count);
    must(((exec_state.onlookers & ONLOOKER_TRACKING) != 0) == (on > 0));
    tracking_table_verify();
    tracking_prefix_verify();
}
