/* server/data/hash/hash_table.c - the hash type: set pairs in a table, and make one of a
 * listpack. */
#include <errno.h>
#include <stdlib.h>

#include "server/data/db/value.h"
#include "server/data/hash/hash_impl.h"

/* set_one: in place where the pair has the room, else as a new pair.  0: replaced, 1: added,
 * -ENOMEM */
static int
set_one(const struct htable *t, struct slice field, struct slice value)
{
    const struct hash_pair *p = htable_get(t, field), *old;

    if (p != NULL && hash_pair_set(p, value))
        return 0;
    if ((p = hash_pair_new(field, value)) == NULL)
        return -ENOMEM;
    if (!htable_put(t, p, &old)) {
        hash_pair_free(p);
        return -ENOMEM;
    }
    if (old != NULL)
        hash_pair_free(old);
    return old == NULL;
}

/* Several pairs at once: all new blocks first; then one by one into the table, keeping what they
 * replace, so that the way back is open until the last one is in. */
struct change {
    const struct hash_pair *fresh, *old;
};

static void
take_back(const struct htable *t, const struct change *done, int count)
{
    const struct hash_pair *self;

    while (--count >= 0) {
        if (done[count].old == NULL)
            (void)htable_take(t, hash_pair_field(done[count].fresh));
        else
            must(htable_put(t, done[count].old, &self)); /* the field is there: cannot fail */
    }
}

static void
free_fresh(const struct change *c, int count)
{
    while (--count >= 0)
        hash_pair_free(c[count].fresh);
}

static int
set_all(const struct htable *t, struct change *c, const struct slice *words, int pairs,
        int64_t *ret_added)
{
    int64_t added = 0;

    for (int i = 0; i < pairs; i++)
        if ((c[i].fresh = hash_pair_new(words[2 * i], words[2 * i + 1])) == NULL) {
            free_fresh(c, i);
            return -ENOMEM;
        }
    for (int i = 0; i < pairs; i++)
        if (!htable_put(t, c[i].fresh, &c[i].old)) {
            take_back(t, c, i);
            free_fresh(c, pairs);
            return -ENOMEM;
        }
    for (int i = 0; i < pairs; i++) {
        added += c[i].old == NULL;
        if (c[i].old != NULL)
            hash_pair_free(c[i].old);
    }
    *ret_added = added;
    return 0;
}

int
hash_table_set(const struct htable *t, const struct slice *words, int pairs, int64_t *ret_added)
{
    enum { ON_STACK = 64 };
    struct change few[ON_STACK], *c = few;
    int r;

    if (pairs == 1) {
        if ((r = set_one(t, words[0], words[1])) < 0)
            return r;
        *ret_added = r;
        return 0;
    }
    if (pairs > ON_STACK && (c = malloc((size_t)pairs * sizeof *c)) == NULL)
        return -ENOMEM;
    r = set_all(t, c, words, pairs, ret_added);
    if (c != few)
        free(c);
    return r;
}

const struct htable *
hash_table_of(const uint8_t *lp)
{
    const struct htable *t = htable_new();
    char scratch[2][LP_INT_TEXT_BYTES];

    if (t == NULL)
        return NULL;
    for (uint32_t at = lp_first(lp); at != 0; at = lp_next(lp, at)) {
        struct slice field = lp_slice(lp, at, scratch[0]), value;

        at = lp_next(lp, at);
        value = lp_slice(lp, at, scratch[1]);
        if (set_one(t, field, value) < 0) {
            htable_free(t);
            return NULL;
        }
    }
    return t;
}

int
hash_convert(struct db_ref *ref, const struct slice *words, int pairs, int64_t *ret_added)
{
    struct value v = {.type = TYPE_HASH, .enc = ENC_ROOT};
    int64_t expire = RECORD_NO_EXPIRE, added;

    if (ref->rec == NULL) {
        v.root = htable_new();
    } else {
        expire = record_expire(ref->rec);
        v.root = hash_table_of((const uint8_t *)record_blob(ref->rec).ptr);
    }
    if (v.root == NULL)
        return -ENOMEM;
    if (hash_table_set(v.root, words, pairs, &added) < 0 || db_store(ref, &v, expire) < 0) {
        htable_free(v.root);
        return -ENOMEM;
    }
    *ret_added = added;
    return 0;
}
