/* server/exec/acl_log.c - see acl_log.h. */
#include "server/exec/acl_log.h"

#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/fault.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/figures/stats.h"
#include "server/net/client.h"

enum { SAME_ENTRY_MS = 60000, LOOKED_AT = 10 };

static struct acl_log_entry *newest;
static unsigned entries;
static uint64_t next_id;

static void
count(enum acl_verdict reason)
{
    switch (reason) {
    case ACL_GRANTED:
        break;
    case ACL_DENIED_COMMAND:
        stats.acl_denied_commands++;
        break;
    case ACL_DENIED_KEY:
        stats.acl_denied_keys++;
        break;
    case ACL_DENIED_AUTH:
        stats.auth_failures++;
        break;
    case ACL_DENIED_CHANNEL:
        stats.acl_denied_channels++;
        break;
    }
}

/* ---- entries ---- */

/* An entry and what it shows are one block. */
static struct acl_log_entry *
make_entry(struct slice object, struct slice user, struct slice client)
{
    const struct slice parts[] = {object, user, client};
    struct acl_log_entry *e;
    struct slice *copies;

    if (fault_point(FAULT_acl_alloc) || (e = malloc(sizeof *e + slices_bytes(parts, 3))) == NULL)
        return NULL;
    copies = (struct slice *)(e + 1);
    slices_copy(copies, parts, 3);
    *e = (struct acl_log_entry){.object = copies[0], .user = copies[1], .client = copies[2]};
    return e;
}

/* Where an entry hangs that says the same, among the newest; NULL: nowhere. */
static struct acl_log_entry **
find_same(const struct acl_log_entry *e)
{
    struct acl_log_entry **link = &newest;

    for (unsigned i = 0; i < LOOKED_AT && *link != NULL; i++, link = &(*link)->next) {
        const struct acl_log_entry *at = *link;
        if (at->reason == e->reason && at->context == e->context &&
            clock_now.ms - at->updated_ms <= SAME_ENTRY_MS && slice_equal(at->object, e->object) &&
            slice_equal(at->user, e->user))
            return link;
    }
    return NULL;
}

static void
drop(struct acl_log_entry **link)
{
    struct acl_log_entry *e = *link;

    *link = e->next;
    entries--;
    free(e);
}

/* Those beyond the parameter, the oldest. */
static void
drop_too_many(void)
{
    struct acl_log_entry **link = &newest;

    if ((int64_t)entries <= config.acllog_max_len)
        return;
    for (int64_t i = 0; i < config.acllog_max_len && *link != NULL; i++)
        link = &(*link)->next;
    while (*link != NULL)
        drop(link);
}

static void
add(struct acl_log_entry *e)
{
    struct acl_log_entry **same = find_same(e);

    e->count = 1;
    e->created_ms = e->updated_ms = clock_now.ms;
    if (same != NULL) {
        e->count += (*same)->count;
        e->created_ms = (*same)->created_ms;
        e->id = (*same)->id;
        drop(same);
    } else {
        e->id = next_id++;
    }
    e->next = newest;
    newest = e;
    entries++;
    drop_too_many();
}

void
acl_log_denied(const struct client *c, enum acl_verdict reason, enum acl_context context,
               struct slice object, struct slice user)
{
    struct acl_log_entry *e;
    struct text line = {0};

    count(reason);
    if (config.acllog_max_len == 0)
        return;
    client_describe(c, &line);
    e = make_entry(object, user, (struct slice){text_str(&line), line.len});
    text_free(&line);
    if (e == NULL)
        return;
    e->reason = reason;
    e->context = context;
    add(e);
}

const struct acl_log_entry *
acl_log_newest(void)
{
    return newest;
}

unsigned
acl_log_count(void)
{
    return entries;
}

void
acl_log_clear(void)
{
    while (newest != NULL)
        drop(&newest);
}
