/* server/data/db/db_write.c - insert, change, delete keys.  Every function first takes what it may
 * not get (D2). */
#include <errno.h>

#include "mm/base/clock.h"
#include "mm/base/keyhash.h"
#include "server/data/db/db.h"
#include "server/data/db/db_impl.h"
#include "server/data/db/lfu.h"
#include "server/data/db/type.h"
#include "server/data/db/value.h"
#include "server/figures/stats.h"

/* forget: take the record out of one of its database's tables. */
static void
forget(struct ktable *t, uint64_t hash, const struct record *r)
{
    struct ktable_ref at;

    ktable_find_record(t, hash, r, &at);
    must(at.bucket != NULL); /* D1 */
    ktable_drop(t, hash, at);
}

/* unlist: out of the tables beside that of keys. */
static void
unlist(struct db *db, uint64_t hash, const struct record *r)
{
    for (enum db_list i = 0; i < DB_LISTS; i++)
        if (db_is_on_list(r, i))
            forget(db_list(db, i), hash, r);
}

/* list: into those of these tables in which `old` (NULL: nothing) does not stand.  False: no
 * memory, and nothing has changed. */
static bool
list(struct db *db, uint64_t hash, const struct record *old, const struct record *r)
{
    for (enum db_list i = 0; i < DB_LISTS; i++) {
        if (!db_is_on_list(r, i) || (old != NULL && db_is_on_list(old, i)) ||
            ktable_add(db_list(db, i), hash, r))
            continue;
        if (i == DB_LIST_TIMED && db_is_on_list(r, DB_LIST_EXPIRES) &&
            (old == NULL || !db_is_on_list(old, DB_LIST_EXPIRES)))
            forget(&db->expires, hash, r);
        return false;
    }
    return true;
}

/* enter: a record whose key is not there, into the tables; nobody is told. */
static int
enter(struct db *db, uint64_t hash, const struct record *r)
{
    if (!ktable_add(&db->keys, hash, r))
        return -ENOMEM;
    if (record_is_listed(r) && !list(db, hash, NULL, r)) {
        forget(&db->keys, hash, r);
        return -ENOMEM;
    }
    return 0;
}

/* add: a record for a key that is not there; nobody is told. */
static int
add(struct db_ref *ref, struct record_spec *spec)
{
    const struct record *r;

    spec->db = ref->db->number;
    spec->clock = db_birth_clock();
    if ((r = record_new(spec)) == NULL)
        return -ENOMEM;
    if (enter(ref->db, ref->hash, r) < 0) {
        record_free(r);
        return -ENOMEM;
    }
    ref->rec = r;
    ref->at.bucket = NULL; /* the table may have grown */
    return 0;
}

void
db_expect(struct db *db, uint64_t keys, uint64_t expires)
{
    ktable_expect(&db->keys, keys);
    ktable_expect(&db->expires, expires);
}

void
db_fit(struct db *db)
{
    ktable_fit(&db->keys);
    ktable_fit(&db->expires);
    ktable_fit(&db->timed);
}

void
db_warm(const struct db *db, uint64_t hash, const struct record *r)
{
    ktable_warm_bucket(&db->keys, hash);
    if (record_has(r, RECORD_HAS_EXPIRE))
        ktable_warm_bucket(&db->expires, hash);
}

int
db_adopt(struct db *db, uint64_t hash, const struct record *r)
{
    struct ktable_ref at;

    debug_check(hash == keyhash(record_key(r)) && record_db(r) == db->number);
    if (unlikely(ktable_find_key(&db->keys, hash, record_key(r), &at) != NULL))
        return -EEXIST;
    return enter(db, hash, r);
}

/* tell_new: who listens for new keys, and who waits for one of this type. */
static void
tell_new(struct db *db, struct slice key, enum value_type type)
{
    db_tell_event(db, key, KEY_EVENT_NEW, "new");
    if (unlikely(key_waiters != 0) && type_of(type)->is_waited_for)
        db_listener->ready(db, key);
}

int
db_insert(struct db_ref *ref, struct record_spec *spec)
{
    int r;

    debug_check(ref->rec == NULL);
    r = add(ref, spec);
    if (r == 0)
        tell_new(ref->db, ref->key, spec->value.type);
    return r;
}

/* locate: where ref->rec stands in the table of keys; after db_insert() that is not known yet. */
static struct ktable_ref
locate(struct db_ref *ref)
{
    if (ref->at.bucket == NULL)
        ktable_find_record(&ref->db->keys, ref->hash, ref->rec, &ref->at);
    must(ref->at.bucket != NULL);
    return ref->at;
}

/* move_lists: the tables beside that of keys know `fresh` in the place of `old`, as far as they are
 * to.  Where only fresh does, it was added before. */
static void
move_lists(struct db_ref *ref, const struct record *old, const struct record *fresh)
{
    struct ktable_ref at;

    debug_check(ktable_find_key(&ref->db->keys, ref->hash, record_key(fresh), &at) == fresh);
    if (!record_is_listed(old))
        return;
    for (enum db_list i = 0; i < DB_LISTS; i++) {
        if (!db_is_on_list(old, i))
            continue;
        ktable_find_record(db_list(ref->db, i), ref->hash, old, &at);
        must(at.bucket != NULL); /* D1 */
        if (db_is_on_list(fresh, i))
            ktable_switch(at, fresh);
        else
            ktable_drop(db_list(ref->db, i), ref->hash, at);
    }
}

/* replace: a new record of this spec takes the place of ref->rec. */
static int
replace(struct db_ref *ref, const struct record_spec *spec)
{
    const struct record *old = ref->rec, *fresh = record_new(spec);

    if (fresh == NULL)
        return -ENOMEM;
    if (record_is_listed(fresh) && !list(ref->db, ref->hash, old, fresh)) {
        record_free(fresh);
        return -ENOMEM;
    }
    ktable_switch(locate(ref), fresh);
    move_lists(ref, old, fresh);
    ref->rec = fresh;
    record_free(old);
    return 0;
}

/* tell_waiters: the key has another value. */
static void
tell_waiters(struct db_ref *ref, enum value_type was, enum value_type is)
{
    struct slice key = record_key(ref->rec);

    if (type_of(is)->is_waited_for)
        db_listener->ready(ref->db, key);
    if (was != is)
        db_listener->gone(ref->db, key);
}

const struct record *
db_make(const struct db_ref *ref, const struct value *value)
{
    struct record_spec spec = {.key = ref->key,
                               .expire_at_ms = record_expire(ref->rec),
                               .db = ref->db->number,
                               .clock = record_clock(ref->rec),
                               .value = *value};

    return record_new(&spec);
}

void
db_exchange(struct db_ref *ref, const struct record *fresh)
{
    const struct record *old = ref->rec;
    struct value gone = value_of(old);

    ref->at.bucket = NULL;
    ktable_switch(locate(ref), fresh);
    move_lists(ref, old, fresh);
    ref->rec = fresh;
    record_free(old);
    value_free(&gone);
}

int
db_update(struct db_ref *ref, struct record_spec *spec)
{
    enum value_type was = record_type(ref->rec);
    struct value gone = {.enc = ENC_INT};
    bool has_block = record_encoding(ref->rec) >= ENC_OUTER;

    if (unlikely(has_block))
        gone = value_of(ref->rec);
    spec->db = ref->db->number;
    spec->clock = unlikely(db_counts_use()) ? record_clock(ref->rec) : clock_now.s;
    if (!record_rewrite(ref->rec, spec) && replace(ref, spec) < 0)
        return -ENOMEM;
    if (unlikely(has_block) && !value_same_block(&gone, &spec->value))
        value_free(&gone);
    if (unlikely(key_waiters != 0))
        tell_waiters(ref, was, spec->value.type);
    return 0;
}

int
db_supplant(struct db_ref *ref, struct record_spec *spec)
{
    int r;

    if (ref->rec == NULL)
        return db_insert(ref, spec);
    if ((r = db_update(ref, spec)) < 0)
        return r;
    record_touch(ref->rec, db_birth_clock());
    tell_new(ref->db, ref->key, spec->value.type);
    return 0;
}

int
db_store(struct db_ref *ref, const struct value *value, int64_t expire_at_ms)
{
    struct record_spec spec = {.key = ref->key, .expire_at_ms = expire_at_ms, .value = *value};

    return ref->rec == NULL ? db_insert(ref, &spec) : db_update(ref, &spec);
}

int
db_set_expire(struct db_ref *ref, int64_t expire_at_ms)
{
    struct record_spec spec;

    record_spec_of(ref->rec, &spec);
    spec.expire_at_ms = expire_at_ms;
    return db_update(ref, &spec);
}

void
db_set_use(const struct record *r, int64_t idle_s, int64_t freq)
{
    if (db_counts_use() && freq >= 0)
        record_touch(r, lfu_born((uint8_t)freq));
    else if (!db_counts_use() && idle_s >= 0)
        record_touch(r, lfu_idle_since(idle_s));
}

/* take_out: the record leaves the tables, and is still there to be read. */
static const struct record *
take_out(struct db_ref *ref)
{
    const struct record *r = ref->rec;

    must(r != NULL);
    db_tell_gone(ref->db, record_key(r));
    if (record_is_listed(r))
        unlist(ref->db, ref->hash, r);
    ktable_drop(&ref->db->keys, ref->hash, locate(ref));
    ref->rec = NULL;
    return r;
}

void
db_unlink(struct db_ref *ref)
{
    record_free(take_out(ref));
}

/* remove_and_tell: the key goes without a command having asked for it.  It is told when it is gone,
 * but while its name can still be read: that takes no memory. */
static void
remove_and_tell(struct db_ref *ref, unsigned class, const char *event)
{
    const struct record *r = take_out(ref);
    struct value gone = value_of(r);

    db_tell_changed(ref->db, record_key(r), class, event);
    record_free(r);
    value_free(&gone);
}

void
db_remove(struct db_ref *ref)
{
    struct value gone = value_of(ref->rec);

    db_unlink(ref);
    value_free(&gone);
}

bool
db_delete(struct db *db, struct slice key)
{
    struct db_ref ref;

    if (db_lookup(db, key, 0, &ref) == NULL)
        return false;
    db_remove(&ref);
    return true;
}

void
db_evict(struct db_ref *ref)
{
    ref->hash = keyhash(record_key(ref->rec));
    ref->at.bucket = NULL;
    remove_and_tell(ref, KEY_EVENT_EVICTED, "evicted");
}

uint32_t
db_birth_clock(void)
{
    return unlikely(db_counts_use()) ? lfu_born(LFU_NEW) : clock_now.s;
}

void
db_expire_record(struct db *db, const struct record *r)
{
    struct db_ref ref = {.db = db, .hash = keyhash(record_key(r)), .rec = r};

    debug_check(db_record_is_expired(r) && record_db(r) == db->number);
    stats.expired_keys++;
    remove_and_tell(&ref, KEY_EVENT_EXPIRED, "expired");
}

/* ---- fields that expire ---- */

void
db_field_expired(const struct db_ref *ref, struct slice field)
{
    stats.expired_subkeys++;
    if (unlikely(key_event_listeners != 0))
        db_listener->field_gone(ref->db, record_key(ref->rec), field);
}

void
db_fields_expired(struct db_ref *ref, bool is_empty)
{
    db_tell_changed(ref->db, record_key(ref->rec), KEY_EVENT_HASH, "hexpired");
    if (is_empty)
        remove_and_tell(ref, KEY_EVENT_GENERIC, "del");
}

int
db_recast(struct db_ref *ref, const struct value *value)
{
    struct record_spec spec = {.key = record_key(ref->rec),
                               .expire_at_ms = record_expire(ref->rec),
                               .db = ref->db->number,
                               .clock = record_clock(ref->rec),
                               .value = *value};

    return replace(ref, &spec);
}

bool
db_may_expire(void)
{
    return !db_state.loading && (!db_is_held() || db_listener->is_writing());
}

/* ---- several keys at once ---- */

/* turn_expiry: a record that expires takes the place of another one, which does too, in the table
 * of those. */
static void
turn_expiry(struct db *db, uint64_t hash, const struct record *from, const struct record *to)
{
    struct ktable_ref at;

    ktable_find_record(&db->expires, hash, from, &at);
    must(at.bucket != NULL); /* D1 */
    ktable_switch(at, to);
}

static bool
does_expire(const struct record *r)
{
    return r != NULL && record_has(r, RECORD_HAS_EXPIRE);
}

/* put_back: undo what db_store_all() did for this item. */
static void
put_back(struct db *db, const struct db_item *it)
{
    uint64_t hash = keyhash(record_key(it->fresh));
    struct ktable_ref at;

    if (does_expire(it->fresh) && does_expire(it->old))
        turn_expiry(db, hash, it->fresh, it->old);
    else if (does_expire(it->fresh))
        forget(&db->expires, hash, it->fresh);
    ktable_find_record(&db->keys, hash, it->fresh, &at);
    must(at.bucket != NULL);
    if (it->old != NULL)
        ktable_switch(at, it->old);
    else
        ktable_drop(&db->keys, hash, at);
}

/* put_in: the fresh record of an item takes its key's place.  The expiry of an old one stays in the
 * table if the fresh one has none: the old one may come back. */
static int
put_in(struct db *db, struct db_item *it)
{
    struct db_ref ref;
    bool adds;

    it->old = db_lookup(db, record_key(it->fresh), DB_EXPIRED, &ref);
    adds = does_expire(it->fresh) && !does_expire(it->old);
    if (adds && !ktable_add(&db->expires, ref.hash, it->fresh))
        return -ENOMEM;
    if (it->old == NULL && !ktable_add(&db->keys, ref.hash, it->fresh)) {
        if (adds)
            forget(&db->expires, ref.hash, it->fresh);
        return -ENOMEM;
    }
    if (it->old != NULL)
        ktable_switch(ref.at, it->fresh);
    if (does_expire(it->fresh) && !adds)
        turn_expiry(db, ref.hash, it->old, it->fresh);
    return 0;
}

/* take_leave: the old record of an item goes for good. */
static void
take_leave(struct db *db, const struct db_item *it)
{
    const struct record *old = it->old;
    struct value gone = value_of(old);

    if (record_type(old) != TYPE_STRING)
        db_tell_gone(db, record_key(old));
    if (does_expire(old) && !does_expire(it->fresh))
        forget(&db->expires, keyhash(record_key(old)), old);
    if (record_is_timed(old)) /* the fresh one is a string */
        forget(&db->timed, keyhash(record_key(old)), old);
    record_free(old);
    value_free(&gone);
}

int
db_store_all(struct db *db, struct db_item *items, int count)
{
    for (int i = 0; i < count; i++)
        if (put_in(db, &items[i]) < 0) {
            while (--i >= 0)
                put_back(db, &items[i]);
            return -ENOMEM;
        }
    for (int i = 0; i < count; i++) {
        items[i].had_expired = items[i].old != NULL && db_record_is_expired(items[i].old);
        items[i].is_new = items[i].old == NULL || items[i].had_expired;
        stats.expired_keys += items[i].had_expired;
        if (items[i].old != NULL)
            take_leave(db, &items[i]);
    }
    return 0;
}
