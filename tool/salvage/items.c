/* tool/salvage/items.c - what was read, until it is believed, and then: runs and sums. */
#include <string.h>

#include "mm/base/must.h"
#include "snapshot/rdb/rdb.h"
#include "tool/salvage/scan_impl.h"

struct db_sum *
scan_db(struct scan *s, uint64_t db)
{
    for (unsigned i = s->db_count; i-- > 0;)
        if (s->dbs[i].db == db)
            return &s->dbs[i];
    if (s->db_count == DATABASES_MOST)
        return NULL;
    s->dbs[s->db_count] = (struct db_sum){.db = db};
    return &s->dbs[s->db_count++];
}

void
note_failure(struct scan *s, int r)
{
    if (r < 0 && s->failed == 0)
        s->failed = r;
}

void
scan_lose(struct scan *s, const struct loss *l)
{
    if (l->is_kept)
        s->losses_kept++;
    note_failure(s, records_add(&s->losses, l));
}

static void
end_run(struct scan *s)
{
    if (s->has_run)
        note_failure(s, records_add(&s->runs, &s->current));
    s->has_run = false;
}

/* extend_run: by a good item. */
static void
extend_run(struct scan *s, const struct item *it)
{
    struct section *sec = section_in_hand(s);
    bool is_head = it->kind == ITEM_KEY && s->head_is_due && !it->has_expiry;
    struct run *r = &s->current;

    if (s->has_run && (r->until != it->from || r->db != s->db || r->is_head || is_head))
        end_run(s);
    if (!s->has_run)
        *r = (struct run){.from = it->from,
                          .db = s->db,
                          .section = s->section_count - 1,
                          .is_head = is_head,
                          .is_inherited = sec->next_db == UINT64_MAX};
    s->has_run = true;
    r->until = it->until;
    if (it->kind != ITEM_KEY)
        return;
    s->head_is_due = false;
    r->keys++;
    r->expires += it->has_expiry;
    sec->keys++;
    sec->inherited += r->is_inherited;
}

void
describe(const struct scan *s, const struct item *it, enum loss_kind kind, struct loss *l)
{
    *l = (struct loss){.from = it->from,
                       .until = it->until,
                       .db = s->db,
                       .keys = it->kind == ITEM_KEY,
                       .kind = kind,
                       .has_key = it->has_name,
                       .is_key_cut = it->is_name_cut,
                       .key_len = it->name_len};
    if (it->has_name)
        memcpy(l->key, it->name, it->name_len);
}

static void
lose_item(struct scan *s, const struct item *it, enum loss_kind kind, bool is_kept,
          const char *reason)
{
    struct loss l;

    describe(s, it, kind, &l);
    l.is_kept = is_kept;
    snprintf(l.reason, sizeof l.reason, "%s", reason);
    scan_lose(s, &l);
}

static void
note_selectdb(struct scan *s, const struct item *it)
{
    struct section *sec = section_in_hand(s);

    s->db = it->a;
    s->has_db = true;
    s->head_is_due = false; /* no key's attributes stand before it */
    if (sec->next_db == UINT64_MAX)
        sec->next_db = it->a;
}

static void
note_resizedb(struct scan *s, const struct item *it, bool is_doubtful)
{
    struct section *sec = section_in_hand(s);
    struct db_sum *d;

    s->head_is_due = false;
    if (sec->from == it->from && s->section_count > 1)
        s->db = sec->db = DB_UNKNOWN + s->section_count - 1;
    if ((d = scan_db(s, s->db)) == NULL)
        return;
    d->said_keys = it->a;
    d->said_expires = it->b;
    d->said += is_doubtful ? 2 : 1;
}

static void
count_key(struct scan *s, const struct item *it, bool is_doubtful)
{
    struct db_sum *d = scan_db(s, s->db);

    s->keys++;
    if (d == NULL)
        return;
    d->keys += !is_doubtful;
    d->expires += !is_doubtful && it->has_expiry;
    d->doubtful += is_doubtful;
    d->doubtful_expires += is_doubtful && it->has_expiry;
}

/* is_doubtful_head: SV5. */
static bool
is_doubtful_head(struct scan *s, const struct item *it)
{
    const uint8_t *next = flat_at(s->flat, it->until, 1);
    struct section *sec = section_in_hand(s);

    if (sec->head == 0)
        return false;
    if (it->kind == ITEM_SELECTDB && next != NULL && *next == RDB_OP_RESIZEDB) {
        sec->head = 0;
        return false;
    }
    sec->head--;
    return it->kind != ITEM_RESIZEDB;
}

/* is_repeated: a function library that stands in the output already: a part of the file has come
 * twice. */
static bool
is_repeated(const struct scan *s, const struct item *it)
{
    return it->library != 0 &&
           field_set_has(&s->libraries,
                         field_mark_of(&s->libraries, 0, &it->library, sizeof it->library));
}

/* settle_other: neither a key nor about databases. */
static void
settle_other(struct scan *s, const struct item *it)
{
    int r = 1;

    if (it->library != 0)
        r = field_set_add(&s->libraries, &it->library, sizeof it->library);
    if (r > 0) {
        extend_run(s, it);
        return;
    }
    note_failure(s, r);
    lose_item(s, it, LOSS_DAMAGED, false, "a function library that was read before");
}

/* settle: an item that was read well, and nothing has failed behind it. */
static void
settle(struct scan *s, const struct item *it)
{
    if (is_doubtful_head(s, it)) {
        bool is_kept = s->keep_doubtful && it->kind != ITEM_SELECTDB;

        lose_item(s, it, LOSS_DOUBTFUL, is_kept,
                  "read well, but the damage before it may go on, or keys be bytes of a value");
        if (!is_kept) {
            if (it->kind == ITEM_KEY)
                count_key(s, it, true);
            return;
        }
    }
    switch (it->kind) {
    case ITEM_SELECTDB:
        end_run(s);
        note_selectdb(s, it);
        return;
    case ITEM_RESIZEDB:
        end_run(s);
        note_resizedb(s, it, false);
        return;
    case ITEM_KEY:
        count_key(s, it, it->has_finding);
        if (it->has_finding && !s->keep_doubtful) {
            lose_item(s, it, LOSS_DAMAGED, false, it->finding);
            s->head_is_due = false;
            return;
        }
        if (it->has_finding)
            lose_item(s, it, LOSS_DOUBTFUL, true, it->finding);
        extend_run(s, it);
        return;
    case ITEM_OTHER:
        settle_other(s, it);
        return;
    }
    never("an item of no kind");
}

struct item *
ring_at(struct scan *s, unsigned i)
{
    return &s->ring[(s->first + i) % (DOUBTED + 1)];
}

void
settle_first(struct scan *s)
{
    settle(s, ring_at(s, 0));
    s->first = (s->first + 1) % (DOUBTED + 1);
    s->count--;
}

void
settle_all(struct scan *s)
{
    while (s->count > 0)
        settle_first(s);
    end_run(s);
}

/* in_hand: the item that is being read. */
struct item *
in_hand(struct scan *s)
{
    return ring_at(s, s->count);
}

/* doubt_all: SV1; until: those that go on behind it are contradicted by what was found. */
void
doubt_all(struct scan *s, uint64_t until, uint64_t *ret_from)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct item *it = ring_at(s, i);
        bool is_crossed = it->until > until;

        if (is_crossed && it->from < *ret_from)
            *ret_from = it->from;
        if (s->keep_doubtful && !is_crossed && !is_repeated(s, it)) {
            settle(s, it);
            if (it->kind != ITEM_SELECTDB && it->kind != ITEM_RESIZEDB)
                lose_item(s, it, LOSS_DOUBTFUL, true,
                          "read well, but the damage behind it may have "
                          "begun in it or before it");
            continue;
        }
        if (it->kind == ITEM_SELECTDB && !is_crossed)
            note_selectdb(s, it);
        else if (it->kind == ITEM_RESIZEDB && !is_crossed)
            note_resizedb(s, it, !it->is_paired);
        else
            lose_item(s, it, LOSS_DOUBTFUL, false,
                      is_crossed ? "read well, but other keys can be read inside of it"
                                 : "read well, but the damage behind it may have begun in it or "
                                   "before it");
        if (it->kind == ITEM_KEY)
            count_key(s, it, true);
    }
    s->count = 0;
    end_run(s);
}

/* forget_run: it is not believed any more but for what is in `kept`. */
static void
forget_run(struct scan *s, const struct run *r, const struct clipped *kept)
{
    struct section *sec = section_in_hand(s);
    struct db_sum *d = scan_db(s, r->db);
    uint64_t keys = r->keys - kept->keys, expires = r->expires - kept->expires;
    struct loss l = {
        .from = kept->at, .until = r->until, .db = r->db, .keys = keys, .kind = LOSS_DOUBTFUL};

    sec->keys -= keys;
    sec->inherited -= r->is_inherited ? keys : 0;
    if (d != NULL) {
        d->keys -= keys;
        d->expires -= expires;
    }
    snprintf(l.reason, sizeof l.reason, "read well, but other keys can be read inside of it");
    scan_lose(s, &l);
}

int
take_back(struct scan *s, uint64_t until)
{
    struct clipped kept;
    struct run run;
    int r = 0;

    end_run(s);
    while (s->runs.count > 0 && r == 0) {
        if ((r = records_get(&s->runs, s->runs.count - 1, &run)) < 0)
            return r;
        if (run.section != s->section_count - 1 || run.until <= until)
            break;
        kept = (struct clipped){.at = run.from};
        if (run.from < until && (r = clip_walk(s, run.from, UINT64_MAX, until, &kept)) < 0)
            return r;
        /* the damage may have begun some keys earlier */
        if (kept.keys > 0 &&
            (r = clip_walk(s, run.from, kept.keys > DOUBTED ? kept.keys - DOUBTED : 0, until,
                           &kept)) < 0)
            return r;
        records_drop_last(&s->runs);
        forget_run(s, &run, &kept);
        run.until = kept.at;
        run.keys = kept.keys;
        run.expires = kept.expires;
        if (run.from < run.until)
            r = records_add(&s->runs, &run);
    }
    return r;
}
