/* server/commands/connection/tracking.c - CLIENT subcommands of client-side caching: TRACKING
 * CACHING GETREDIR TRACKINGINFO. */
#include <stdlib.h>

#include "mm/base/must.h"
#include "server/exec/args.h"
#include "server/exec/handlers.h"
#include "server/exec/tracking.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/connection/connection.def"

/* What CLIENT TRACKING ON asks for. */
struct wish {
    unsigned modes;
    struct client *redirect;
    int64_t redirect_id;
    struct slice *prefixes; /* [owned] */
    int prefix_count;
};

/* ---- prefixes do not overlap ---- */

struct ranked {
    struct slice prefix;
    bool overlaps; /* with another one of them */
};

/* begins: is b the begin of a? */
static bool
begins(struct slice a, struct slice b)
{
    return a.len >= b.len && (b.len == 0 || memcmp(a.ptr, b.ptr, b.len) == 0);
}

static int
compare(const void *a, const void *b)
{
    const struct ranked *x = *(const struct ranked *const *)a,
                        *y = *(const struct ranked *const *)b;
    size_t common = x->prefix.len < y->prefix.len ? x->prefix.len : y->prefix.len;
    int r = common > 0 ? memcmp(x->prefix.ptr, y->prefix.ptr, common) : 0;

    return r != 0 ? r : (x->prefix.len > y->prefix.len) - (x->prefix.len < y->prefix.len);
}

/* mark_overlapping: sorted, whatever begins with a prefix follows it at once. */
static void
mark_overlapping(struct ranked **sorted, int count)
{
    struct ranked *root = sorted[0];

    for (int i = 1; i < count; i++)
        if (begins(sorted[i]->prefix, root->prefix))
            sorted[i]->overlaps = root->overlaps = true;
        else
            root = sorted[i];
}

#define OVERLAPS                                                                                   \
    "ERR Prefix '%.*s' overlaps with %s prefix '%.*s'. Prefixes for a single client must not "     \
    "overlap."

static void
reply_overlap(struct client *c, struct slice prefix, const char *which, struct slice other)
{
    reply_errorf(c, OVERLAPS, slice_shown(prefix), prefix.ptr, which, slice_shown(other),
                 other.ptr);
}

/* is_free: false: the error was replied, of the first that overlaps with one of the client's, or
 * with one behind it. */
static bool
is_free(struct client *c, const struct ranked *all, int at, int count)
{
    struct slice other;

    if (tracking_overlap(c, all[at].prefix, &other)) {
        reply_overlap(c, all[at].prefix, "an existing", other);
        return false;
    }
    for (int i = at + 1; all[at].overlaps && i < count; i++)
        if (begins(all[i].prefix, all[at].prefix) || begins(all[at].prefix, all[i].prefix)) {
            reply_overlap(c, all[at].prefix, "another provided", all[i].prefix);
            return false;
        }
    return true;
}

/* are_free: and they are sorted then, so that the client's list grows at its end.
 * O(prefixes * log(prefixes)), in the client's too. */
static bool
are_free(struct client *c, struct wish *w)
{
    size_t count = (size_t)w->prefix_count;
    struct ranked *all, **sorted = NULL;
    bool ok = true;

    if (count == 0)
        return true;
    if ((all = calloc(count, sizeof *all)) == NULL ||
        (sorted = calloc(count, sizeof(struct ranked *))) == NULL) {
        reply_error(c, "OOM no memory for the prefixes");
        ok = false;
    }
    for (int i = 0; ok && i < w->prefix_count; i++) {
        all[i].prefix = w->prefixes[i];
        sorted[i] = &all[i];
    }
    if (ok) {
        qsort(sorted, count, sizeof(struct ranked *), compare);
        mark_overlapping(sorted, w->prefix_count);
    }
    for (int i = 0; ok && i < w->prefix_count; i++)
        ok = is_free(c, all, i, w->prefix_count);
    for (int i = 0; ok && i < w->prefix_count; i++)
        w->prefixes[i] = sorted[i]->prefix;
    free(sorted);
    free(all);
    return ok;
}

/* ---- CLIENT TRACKING ---- */

static bool
parse_redirect(struct client *c, int i, struct wish *w)
{
    if (w->redirect_id != 0) {
        reply_error(c, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!arg_int(c, i, &w->redirect_id))
        return false;
    if ((w->redirect = client_find((uint64_t)w->redirect_id)) == NULL) {
        reply_error(c, "ERR The client ID you want redirect to does not exist");
        return false;
    }
    return true;
}

static bool
parse(struct client *c, struct wish *w)
{
    for (int i = 3; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (arg_is(c, i, "redirect") && more) {
            if (!parse_redirect(c, ++i, w))
                return false;
        } else if (arg_is(c, i, "bcast")) {
            w->modes |= TRACKING_BCAST;
        } else if (arg_is(c, i, "optin")) {
            w->modes |= TRACKING_OPTIN;
        } else if (arg_is(c, i, "optout")) {
            w->modes |= TRACKING_OPTOUT;
        } else if (arg_is(c, i, "noloop")) {
            w->modes |= TRACKING_NOLOOP;
        } else if (arg_is(c, i, "prefix") && more) {
            w->prefixes[w->prefix_count++] = c->argv[++i];
        } else {
            reply_syntax(c);
            return false;
        }
    }
    return true;
}

/* object: to modes that do not go together, or not with those that the client has; NULL: nothing is
 * wrong. */
static const char *
object(const struct client *c, const struct wish *w)
{
    enum { CHOICE = TRACKING_OPTIN | TRACKING_OPTOUT };
    unsigned has = tracking_modes(c), modes = w->modes;

    if ((modes & TRACKING_BCAST) == 0 && w->prefix_count > 0)
        return "ERR PREFIX option requires BCAST mode to be enabled";
    if ((has & TRACKING_ON) != 0 && ((has ^ modes) & TRACKING_BCAST) != 0)
        return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    if ((modes & TRACKING_BCAST) != 0 && (modes & CHOICE) != 0)
        return "ERR OPTIN and OPTOUT are not compatible with BCAST";
    if ((modes & CHOICE) == CHOICE)
        return "ERR You can't specify both OPTIN mode and OPTOUT mode";
    if (((modes & TRACKING_OPTIN) != 0 && (has & TRACKING_OPTOUT) != 0) ||
        ((modes & TRACKING_OPTOUT) != 0 && (has & TRACKING_OPTIN) != 0))
        return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    return NULL;
}

/* begin: without memory for all of it, it is told of nothing. */
static bool
begin(struct client *c, const struct wish *w)
{
    bool ok = tracking_begin(c, w->modes, w->redirect);

    if (ok && (w->modes & TRACKING_BCAST) != 0 && w->prefix_count == 0)
        ok = tracking_add_prefix(c, SLICE(""));
    for (int i = 0; ok && i < w->prefix_count; i++)
        ok = tracking_add_prefix(c, w->prefixes[i]);
    if (!ok)
        tracking_end(c);
    return ok;
}

static void
switch_on(struct client *c, struct wish *w)
{
    const char *error = object(c, w);

    if (error != NULL)
        reply_error(c, error);
    else if (!are_free(c, w))
        return;
    else if (begin(c, w))
        reply_ok(c);
    else
        reply_error(c, "OOM no memory for tracking: it is off");
}

/* CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] ->
 * OK.  Of OFF the options are looked at, and mean nothing. */
void
cmd_client_tracking(struct client *c)
{
    struct wish w = {.modes = 0};

    if ((w.prefixes = calloc((size_t)c->argc, sizeof *w.prefixes)) == NULL) {
        reply_error(c, "OOM no memory for the prefixes");
        return;
    }
    if (parse(c, &w)) {
        if (arg_is(c, 2, "on")) {
            switch_on(c, &w);
        } else if (arg_is(c, 2, "off")) {
            tracking_end(c);
            reply_ok(c);
        } else {
            reply_syntax(c);
        }
    }
    free(w.prefixes);
}

/* ---- the others ---- */

/* CLIENT CACHING YES | NO -> OK: of the next command. */
void
cmd_client_caching(struct client *c)
{
    unsigned modes = tracking_modes(c);

    if ((modes & TRACKING_ON) == 0) {
        reply_error(
            c,
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (arg_is(c, 2, "yes") && (modes & TRACKING_OPTIN) == 0) {
        reply_error(c,
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else if (arg_is(c, 2, "no") && (modes & TRACKING_OPTOUT) == 0) {
        reply_error(c,
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else if (arg_is(c, 2, "yes") || arg_is(c, 2, "no")) {
        tracking_cache(c);
        reply_ok(c);
    } else {
        reply_syntax(c);
    }
}

/* CLIENT GETREDIR -> the number of who is told instead; 0: nobody is; -1: tracking is off. */
void
cmd_client_getredir(struct client *c)
{
    reply_int(c, tracking_redirect_id(c));
}

static void
reply_flags(struct client *c)
{
    static const struct {
        unsigned modes; /* all of them */
        const char *name;
    } names[] = {{TRACKING_BCAST, "bcast"},
                 {TRACKING_OPTIN, "optin"},
                 {TRACKING_OPTIN | TRACKING_CACHING, "caching-yes"},
                 {TRACKING_OPTOUT, "optout"},
                 {TRACKING_OPTOUT | TRACKING_CACHING, "caching-no"},
                 {TRACKING_NOLOOP, "noloop"},
                 {TRACKING_BROKEN, "broken_redirect"}};
    unsigned modes = tracking_modes(c);
    size_t token = reply_array_deferred(c), count = 1;

    reply_bulk_text(c, (modes & TRACKING_ON) != 0 ? "on" : "off");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((modes & names[i].modes) == names[i].modes) {
            reply_bulk_text(c, names[i].name);
            count++;
        }
    reply_set_close(c, token, count);
}

/* CLIENT TRACKINGINFO -> a map: how it is tracked, who is told instead, its prefixes. */
void
cmd_client_trackinginfo(struct client *c)
{
    struct slice prefix;
    size_t token;
    unsigned n = 0;

    reply_map(c, 3);
    reply_bulk_text(c, "flags");
    reply_flags(c);
    reply_bulk_text(c, "redirect");
    reply_int(c, tracking_redirect_id(c));
    reply_bulk_text(c, "prefixes");
    token = reply_array_deferred(c);
    for (; tracking_prefix(c, n, &prefix); n++)
        reply_bulk(c, prefix.ptr, prefix.len);
    reply_array_close(c, token, n);
}
