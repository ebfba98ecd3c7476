/* server/commands/generic/migration.c - the course of migrations: see migration.h. */
#include "server/commands/generic/migration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "server/commands/generic/migration_impl.h"
#include "server/data/db/db.h"
#include "server/data/db/dump_slices.h"
#include "server/exec/changed.h"
#include "server/exec/effect.h"
#include "server/exec/keyhold.h"
#include "server/exec/pause.h"
#include "server/net/client.h"
#include "server/net/reply.h"

enum {
    PAUSE_LOOK_MS = 10, /* how often it is asked whether a pause is over */
    DUMPS_LOOK_MS = 2   /* and whether there is room for another dump in slices */
};

/* What the client waits with. */
struct waiting {
    struct block block; /* first */
    struct migration *migration;
};

static struct migration *all;
static unsigned count;

static void look_after_all(unsigned slice_us);
static struct loop_task task = {.place = LOOP_DATA, .due_ms = LOOP_NEVER, .run = look_after_all};

/* ---- the end ---- */

/* delete_key: MG2.  False: it has changed, and stays. */
static bool
delete_key(const struct migration *m, const struct migration_key *k)
{
    struct db *db = db_select(m->db_index);
    struct db_ref ref;

    if (db_lookup(db, k->name, DB_QUIET, &ref) == NULL)
        return true;
    if (keyhold_was_changed(k->hold))
        return false;
    db_remove(&ref);
    changed_in(db, k->name, "del");
    if (unlikely(effects_are_wanted))
        effect_key_gone(db, k->name);
    return true;
}

/* delete_taken: MG3.  Returns a key that has changed, or NULL. */
static const struct migration_key *
delete_taken(const struct migration *m)
{
    const struct migration_key *changed_key = NULL;

    for (int i = 0; i < m->key_count; i++)
        if (m->keys[i].state == KEY_TAKEN) {
            bool is_good =
                m->plan.copy ? !keyhold_was_changed(m->keys[i].hold) : delete_key(m, &m->keys[i]);
            if (!is_good && changed_key == NULL)
                changed_key = &m->keys[i];
        }
    return changed_key;
}

static const char *
lost_at(const struct migration *m)
{
    if (!m->is_connected && m->dial.found == NULL)
        return "IOERR error or timeout connecting to the client";
    if (!m->is_connected || m->pending_bytes > 0)
        return "IOERR error or timeout writing to target instance";
    return "IOERR error or timeout reading from target instance";
}

static void
reply_end(struct client *c, const struct migration *m, const struct migration_key *changed_key)
{
    if (m->refusal != NULL)
        reply_errorf(c, "ERR Target instance replied with error: %s", m->refusal);
    else if (m->end == MIGRATION_LOST)
        reply_error(c, lost_at(m));
    else if (m->end == MIGRATION_STRANGE)
        reply_errorf(c, "ERR Target instance replied with something else than OK or an error: %s",
                     m->line);
    else if (m->end == MIGRATION_NO_MEMORY)
        reply_no_memory(c);
    else if (changed_key != NULL)
        reply_errorf(
            c,
            "ERR Key '%.*s' was changed while it was moved, by a command that does not name it: it is still here, and the target has it as it was before",
            slice_shown(changed_key->name), changed_key->name.ptr);
    else
        reply_ok(c);
}

static void
tell(struct migration *m, const struct migration_key *changed_key)
{
    struct client *c = m->client;
    struct block *b = c->block;
    struct block_reply reply;

    block_reply_begin(c, b, &reply);
    reply_end(c, m, changed_key);
    block_reply_end(c, b, &reply, true);
    block_finish(c);
}

static void
release(struct migration *m)
{
    for (int i = 0; i < m->key_count; i++)
        keyhold_release(m->keys[i].hold);
    *(m->prev != NULL ? &m->prev->next : &all) = m->next;
    if (m->next != NULL)
        m->next->prev = m->prev;
    count--;
    dial_close(&m->dial);
    dump_slices_end(m->dump);
    migration_drop_pieces(m);
    free(m->refusal);
    free(m);
}

/* finish: only in the task: no event of this turn can name it any more (L8). */
static void
finish(struct migration *m)
{
    const struct migration_key *changed_key = delete_taken(m);

    if (m->client != NULL)
        tell(m, changed_key);
    release(m);
}

/* ---- its course ---- */

static void
wake(struct dial *d)
{
    ((struct migration *)(void *)d)->is_woken = true; /* its first member */
    loop_task_at(&task, LOOP_NOW);
}

static void
connect_on(struct migration *m)
{
    switch (dial_step(&m->dial)) {
    case DIAL_WAITS:
        return;
    case DIAL_OPEN:
        m->is_connected = true;
        m->deadline_ms = clock_now.ms + m->plan.timeout_ms;
        migration_greet(m);
        return;
    case DIAL_FAILED:
        m->end = MIGRATION_LOST;
        return;
    }
    never("a connection is in one of these states");
}

/* go_on: true: there is more to do now. */
static bool
go_on(struct migration *m)
{
    bool has_more = false;

    m->is_woken = false;
    if (!m->is_connected)
        connect_on(m);
    if (m->is_connected && m->end == MIGRATION_GOES_ON)
        has_more = migration_talk(m);
    if (m->is_connected && m->end == MIGRATION_GOES_ON)
        dial_listen(&m->dial, m->first != NULL);
    return has_more;
}

/* may_end: what is deleted is a write, which CLIENT PAUSE holds back. */
static bool
may_end(const struct migration *m)
{
    return m->plan.copy || m->taken_count == 0 || !pause_is_on();
}

/* look_after: returns when it wants to be looked after again. */
static int64_t
look_after(struct migration *m)
{
    bool has_more = m->is_woken && m->end == MIGRATION_GOES_ON && go_on(m);

    if (m->end == MIGRATION_GOES_ON && clock_now.ms >= m->deadline_ms)
        m->end = MIGRATION_LOST;
    /* nothing was sent yet, and nobody is there who would hear of it */
    if (m->client == NULL && m->next_key == 0)
        m->end = MIGRATION_LOST;
    if (m->end != MIGRATION_GOES_ON) {
        if (!may_end(m)) {
            dial_close(&m->dial); /* it would wake us again and again */
            return clock_now.ms + PAUSE_LOOK_MS;
        }
        finish(m);
        return LOOP_NEVER;
    }
    m->is_woken |= has_more || m->waits_for_dumps;
    if (has_more)
        return LOOP_NOW;
    return m->waits_for_dumps ? clock_now.ms + DUMPS_LOOK_MS : m->deadline_ms;
}

static void
look_after_all(unsigned slice_us)
{
    int64_t due_ms = LOOP_NEVER, at_ms;
    struct migration *next;

    (void)slice_us;
    for (struct migration *m = all; m != NULL; m = next) {
        next = m->next;
        at_ms = look_after(m);
        if (at_ms < due_ms)
            due_ms = at_ms;
    }
    loop_task_at(&task, due_ms);
}

/* ---- the begin ---- */

/* end_wait: the client is not waiting any more: it closes, or CLIENT UNBLOCK says so. */
static void
end_wait(struct client *c, struct block *b, enum block_end why)
{
    struct migration *m = ((struct waiting *)(void *)b)->migration; /* its first member */

    m->client = NULL;
    if (why == BLOCK_TIMEOUT)
        reply_error(c, "IOERR error or timeout reading from target instance");
    else if (why == BLOCK_ERROR)
        reply_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    loop_task_at(&task, LOOP_NOW);
}

/* hold_keys: those that are there; one that is named twice is moved once.  0 or -ENOMEM */
static int
hold_keys(struct client *c, struct migration *m)
{
    struct db_ref ref;

    for (int i = 0; i < m->plan.key_count; i++) {
        struct slice name = m->argv[m->plan.first_key + i];
        struct migration_key *k = &m->keys[m->key_count];
        int r;

        if (db_lookup(c->db, name, DB_READ, &ref) == NULL)
            continue;
        if ((r = keyhold_take(m->db_index, name, &k->hold)) == -ENOMEM)
            return r;
        if (r == 0) {
            k->name = name;
            m->key_count++;
        }
    }
    return 0;
}

/* make: NULL: no memory. */
static struct migration *
make(const struct client *c, const struct migration_plan *plan)
{
    size_t keys_bytes = (size_t)plan->key_count * sizeof(struct migration_key);
    struct migration *m = calloc(1, sizeof *m + keys_bytes + slices_bytes(c->argv, c->argc));

    if (m == NULL)
        return NULL;
    m->plan = *plan;
    m->db_index = c->db_index;
    m->keys = (struct migration_key *)(m + 1);
    m->argc = c->argc;
    m->argv = (struct slice *)(void *)((char *)m->keys + keys_bytes);
    slices_copy(m->argv, c->argv, c->argc);
    m->dial.fd = -1;
    m->next = all;
    if (all != NULL)
        all->prev = m;
    all = m;
    count++;
    return m;
}

/* begin_wait: 0 or -ENOMEM */
static int
begin_wait(struct client *c, struct migration *m)
{
    struct waiting *w = malloc(sizeof *w);

    if (w == NULL)
        return -ENOMEM;
    w->block = (struct block){.end = end_wait, .argc = m->argc, .argv = m->argv};
    w->migration = m;
    if (block_client(c, &w->block) < 0) {
        free(w);
        return -ENOMEM;
    }
    m->client = c;
    return 0;
}

static void
dial(struct migration *m)
{
    char host[256], port[16];
    struct slice h = m->argv[1], p = m->argv[2];

    m->deadline_ms = clock_now.ms + m->plan.timeout_ms;
    m->is_woken = true;
    if (h.len < sizeof host && p.len < sizeof port) {
        memcpy(host, h.ptr, h.len);
        host[h.len] = '\0';
        memcpy(port, p.ptr, p.len);
        port[p.len] = '\0';
        dial_start(&m->dial, host, port, wake);
    } else {
        m->end = MIGRATION_LOST;
    }
    loop_task_add(&task);
    loop_task_at(&task, LOOP_NOW);
}

void
migration_start(struct client *c, const struct migration_plan *plan)
{
    struct migration *m;

    if (count == MIGRATIONS_MAX) {
        reply_errorf(c, "ERR Too many keys are being moved: %d MIGRATE commands have not ended yet",
                     MIGRATIONS_MAX);
        return;
    }
    if ((m = make(c, plan)) == NULL) {
        reply_no_memory(c);
        return;
    }
    if (hold_keys(c, m) < 0) {
        reply_no_memory(c);
        release(m);
    } else if (m->key_count == 0) {
        reply_status(c, "NOKEY");
        release(m);
    } else if (begin_wait(c, m) < 0) {
        reply_no_memory(c);
        release(m);
    } else {
        dial(m);
    }
}
