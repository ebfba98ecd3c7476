/* server/data/db/type.h - what each data type brings, so that records, loading, saving and the
 * commands on any key need not know how a hash or a sorted set is laid out.
 *
 * A value is a blob (ENC_INLINE, ENC_OUTER) or, once it is large, a structure in the values heap
 * with a root (ENC_ROOT).  Blobs are copied and freed by value.c; of structures the type does it.
 *
 *   TY1 A structure is reached through its root only, and has one owner, the record (V2).
 *   TY2 Nothing outside the type's own files changes it; they do it through mm_modify(), page by
 *       page.
 *
 * A type is a folder server/data/<type>/ and one table, in its <type>_type.c; server/types.c
 * registers it.  What else a new one needs: server/data/README.md.
 * Threads: mutator, unless a line says otherwise. */
#ifndef SERVER_DATA_DB_TYPE_H
#define SERVER_DATA_DB_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/data/db/digest.h"
#include "server/data/db/record.h"

struct db_ref;
struct mover;
struct rdb_events;
struct save_work;
struct save_item;

/* Where the freeing of a structure goes on: all zero at first, then the type's own business. */
struct drop_cursor {
    uint64_t at[16];
};

/* Where moving a structure goes on: all zero at first; numbers that mean something in any structure
 * of the type (MV2 in move.h). */
struct move_cursor {
    uint64_t at[4];
};

/* What a walk shows of an element: a field and its value, a member and its score as text; value.ptr
 * NULL: it has none. Good during the call. */
typedef void (*element_visitor)(void *ctx, struct slice element, struct slice value);

struct type_ops {
    const char *name;   /* as TYPE says it */
    uint32_t number;    /* as Redis counts types: part of what DEBUG DIGEST stirs */
    bool is_waited_for; /* there are commands that block until a key of the type has something */
    /* encoding_name: as OBJECT ENCODING says it. */
    const char *(*encoding_name)(const struct value *v);

    /* ---- of ENC_ROOT; NULL: the type has no structure ---- */
    uint64_t (*elements)(const void *root); /* O(1) */
    /* copy: another one; NULL: no memory. */
    const void *(*copy)(const void *root);
    /* drop: free about so many elements; true: all is gone, the root too.  The structure may be in
     * any state of being taken apart between two calls; nobody else sees it. */
    bool (*drop)(const void *root, struct drop_cursor *at, uint64_t elements);
    /* move: go on moving what is below the root, at least a little, until the mover has done
     * enough; true: all was come to.  The structure may have changed in any way between two
     * calls. */
    bool (*move)(const void *root, struct move_cursor *at, struct mover *m);
    /* weigh: bytes that it takes, from a sample of so many elements; 0: from all. */
    uint64_t (*weigh)(const void *root, uint64_t samples);
    void (*verify)(const void *root); /* assert the structure's rules; slow, for tests */

    /* verify_blob: the same for a value in one block: what its bytes must be is asserted.  NULL:
     * any bytes will do. */
    void (*verify_blob)(struct slice blob, bool is_intset);

    /* ---- of a type whose elements expire; NULL: they do not ---- */
    /* has_expired: has an element's time passed?  O(log n)
     * expire: those go whose time has passed, the earliest first, about `limit` of them at most;
     * the key with the last one, and ref->rec is NULL then; ref->key may be the record's own, and
     * is good no more then.  Who listens hears of it.  Returns how many went; 0 too where there was
     * no memory. */
    bool (*has_expired)(const struct record *r);
    unsigned (*expire)(struct db_ref *ref, unsigned limit);
    int rdb_version_least; /* the first that can hold a value of the type; 0: any */

    /* ---- of every encoding ---- */
    /* walk: one step through the elements, for HSCAN and its kin: from cursor (0: the first) on;
     * returns the next cursor, 0 after the last.  What is there throughout is shown at least once,
     * whatever happens between two steps; a small value is shown whole in one.  NULL: the type is
     * not walked through. */
    uint64_t (*walk)(const struct record *r, uint64_t cursor, element_visitor visit, void *ctx);
    /* digest: stir what the value holds into d, after its type: digest.c says how. */
    void (*digest)(const struct record *r, uint8_t d[DIGEST_BYTES]);
    /* rdb_type: under which type number it is saved.  [any] r may be a staged copy. */
    uint8_t (*rdb_type)(const struct record *r, int rdb_version);
    /* save: the value behind that number.  0 or -errno; [sweep], and the mutator with a live view
     * (DUMP): no live pointer is followed, everything is read through the view (save_value.h). */
    int (*save)(struct save_work *w, const struct save_item *s);
    /* load: enter the decoder's events that bring values of this type (load_value.h). */
    void (*load)(struct rdb_events *events);
};

/* type_of: never NULL. [any] */
const struct type_ops *type_of(enum value_type type);
/* type_register: once for each type, before the first value is made. */
void type_register(enum value_type type, const struct type_ops *ops);

/* TYPE_ROOT_CALLS: what a structure's own module can do, under the signatures of struct type_ops:
 * elements, copy, weigh and verify of module_count(), module_copy(), ... */
#define TYPE_ROOT_CALLS(module)                                                                    \
    static uint64_t elements(const void *root)                                                     \
    {                                                                                              \
        return module##_count(root);                                                               \
    }                                                                                              \
    static const void *copy(const void *root)                                                      \
    {                                                                                              \
        return module##_copy(root);                                                                \
    }                                                                                              \
    static uint64_t weigh(const void *root, uint64_t samples)                                      \
    {                                                                                              \
        return module##_weigh(root, samples);                                                      \
    }                                                                                              \
    static void verify(const void *root)                                                           \
    {                                                                                              \
        module##_verify(root);                                                                     \
    }

#endif
