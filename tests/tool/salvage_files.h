/* tests/tool/salvage_files.h - files to be damaged, what is in a file, and the rescue of one. */
#ifndef TESTS_TOOL_SALVAGE_FILES_H
#define TESTS_TOOL_SALVAGE_FILES_H

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mm/base/le.h"
#include "tests/snapshot/spell.h"
#include "tool/salvage/rescue.h"

/* Two databases, with what RESIZEDB says of them: keys of each type, with attributes and without;
 * between them strings, which are most of what files have. */
#define HEAD "'REDIS0012' fa ['redis-ver'] ['7.4.0'] f5 ['#!lua name=x'] "
#define FIRST_DB                                                                                   \
    "00 ['string'] ['value of it'] f8 40 64 00 ['int'] c1 00 80 "                                  \
    "f9 07 00 ['lzf'] c3 09 13 02 'abc' e0 06 02 00 '!' "                                          \
    "fc 00 e8 76 48 17 00 00 00 00 ['expires'] ['some day'] "                                      \
    "01 ['list'] 02 ['one'] c0 07 02 ['set'] 02 ['a'] ['b'] "                                      \
    "03 ['scores'] 04 ['a'] ff ['b'] 01 '1' ['c'] 03 '1.5' ['d'] fe "                              \
    "04 ['hash'] 02 ['field'] ['value'] c0 05 c1 00 01 05 ['zset'] 01 ['a'] 00 x 6 f0 3f "         \
    "09 ['zipmap'] [02 01 'f' 03 02 'val..' 00 00 00 ff] "                                         \
    "0a ['ziplist'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] "                               \
    "0b ['intset'] [02 00 00 00 02 00 00 00 01 00 02 00] "                                         \
    "0c ['zzip'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] "                                  \
    "0d ['hzip'] [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] "                                  \
    "0e ['quick'] 01 [0f 00 00 00 0c 00 00 00 02 00 00 f1 02 f2 ff] "                              \
    "10 ['hlist'] [( 4 : 81 'f' 02 f1 00 10 03 05 01 f4 00 x 7 80 09 )] "                          \
    "11 ['zlist'] [( 2 : 81 'm' 02 02 01 )] 12 ['quick2'] 02 01 ['plain'] 02 [( 1 : 01 01 )] "     \
    "fc 00 e8 76 48 17 00 00 00 f8 05 14 ['slist'] [( 2 : 81 'm' 02 02 01 )] "
enum { FIRST_KEYS = 19, FIRST_EXPIRES = 2, SECOND_KEYS = 15, SECOND_EXPIRES = 0 };
#define SECOND_DB                                                                                  \
    "00 ['s1'] ['first'] 00 ['s2'] ['second'] 00 ['s3'] ['third'] "                                \
    "0f ['stream1'] 01 10 00 x 7 05 00 x 8 "                                                       \
    "[( 15 : 02 01 00 01 01 01 81 'f' 02 00 01 02 01 00 01 00 01 81 'v' 02 04 01 "                 \
    "02 01 01 01 00 01 81 'v' 02 04 01 )] 02 07 00 00 "                                            \
    "13 ['stream2'] 00 00 05 07 00 00 00 00 09 01 ['g'] 05 07 03 "                                 \
    "01 00 x 16 01 00 x 7 02 01 ['c'] 01 00 x 7 01 00 x 16 "                                       \
    "15 ['stream3'] 00 00 05 07 00 00 00 00 09 01 ['g'] 05 07 03 "                                 \
    "01 00 x 16 01 00 x 7 02 01 ['c'] 01 00 x 7 02 00 x 7 01 00 x 16 "                             \
    "16 ['exp22'] 01 05 ['f'] ['v'] 17 ['exp23'] [( 3 : 81 'f' 02 81 'v' 02 05 01 )] "             \
    "18 ['exp24'] 01 00 x 7 02 05 ['f'] ['v'] 00 ['g'] ['w'] "                                     \
    "19 ['exp25'] 01 00 x 7 [( 3 : 81 'f' 02 81 'v' 02 05 01 )] "                                  \
    "00 ['s4'] ['fourth'] 00 ['s5'] c0 05 00 ['s6'] ['sixth'] 00 ['s7'] ['seventh'] "              \
    "00 ['s8'] ['eighth'] "
#define ALL_TYPES HEAD "fe 00 fb 13 02 " FIRST_DB "fe 02 fb 0f 00 " SECOND_DB

/* A key of a file: all that it is, and nothing of where it stands. */
struct kept_key {
    uint64_t db, value; /* a hash of the value as it stands there, type included */
    int64_t expire_at_ms;
    char name[40];
};
enum { KEYS_MOST = 4096 };
struct kept {
    struct kept_key keys[KEYS_MOST];
    unsigned count, findings;
    uint64_t functions;
    int version;
};

static inline int
kept_start(void *ctx, int version)
{
    ((struct kept *)ctx)->version = version;
    return 0;
}

static inline int
kept_key(void *ctx, const struct rdb_key *k)
{
    struct kept *s = ctx;
    struct kept_key *key = &s->keys[s->count];

    ck_assert_uint_lt(s->count, KEYS_MOST);
    *key = (struct kept_key){.db = k->db, .value = 1000 + k->type, .expire_at_ms = k->expire_at_ms};
    snprintf(key->name, sizeof key->name, "%.*s", (int)k->name.len, (const char *)k->name.ptr);
    s->count++;
    return 0;
}

static inline int
kept_raw(void *ctx, struct slice piece)
{
    struct kept *s = ctx;

    s->keys[s->count - 1].value = crc64(s->keys[s->count - 1].value, piece.ptr, piece.len);
    return 0;
}

static inline int
kept_finding(void *ctx, const struct rdb_finding *f)
{
    ((struct kept *)ctx)->findings += f->kind != RDB_FINDING_IDLE;
    return 0;
}

static inline int
kept_function(void *ctx, struct slice code)
{
    struct kept *s = ctx;

    s->functions += crc64(1, code.ptr, code.len);
    return 0;
}

static inline int
kept_field(void *ctx, struct slice field, struct slice value, int64_t expire_at_ms)
{
    (void)ctx;
    (void)field;
    (void)value;
    (void)expire_at_ms;
    return 0;
}

/* kept_of: what is in a file; what the decoder says of it. */
static inline int
kept_of(const void *bytes, size_t len, bool check_crc, struct kept *ret)
{
    static const struct rdb_events events = {.start = kept_start,
                                             .key = kept_key,
                                             .raw = kept_raw,
                                             .finding = kept_finding,
                                             .function = kept_function,
                                             .hash_field_expiring = kept_field,
                                             .skip_unknown = true};
    struct rdb_source *src;
    struct rdb_error err;
    int r;

    ret->count = ret->findings = 0;
    ret->functions = 0;
    ck_assert_int_eq(rdb_source_memory(bytes, len, &src), 0);
    r = rdb_decode(src, &events, ret, check_crc, &err);
    rdb_source_close(src);
    return r;
}

static inline bool
is_same_key(const struct kept_key *a, const struct kept_key *b, bool in_any_db)
{
    return a->value == b->value && a->expire_at_ms == b->expire_at_ms &&
           strcmp(a->name, b->name) == 0 && (in_any_db || a->db == b->db);
}

/* stranger: the first key of `part` that is not one of `all`; NULL: there is none. */
static inline const struct kept_key *
stranger(const struct kept *part, const struct kept *all, bool in_any_db)
{
    for (unsigned i = 0; i < part->count; i++) {
        unsigned j = 0;

        while (j < all->count && !is_same_key(&part->keys[i], &all->keys[j], in_any_db))
            j++;
        if (j == all->count)
            return &part->keys[i];
    }
    return NULL;
}

/* What a rescue gives. */
struct rescued {
    uint8_t *bytes; /* [owned] */
    size_t len, room;
    uint64_t keys;
    bool is_whole;
    uint64_t losses[LOSS_KINDS];
    uint64_t keys_lost; /* known by number */
    struct loss first;
};

static inline void
rescued_put(void *ctx, const void *bytes, size_t len)
{
    struct rescued *r = ctx;

    if (r->len + len > r->room) {
        r->room = 2 * (r->len + len);
        r->bytes = realloc(r->bytes, r->room);
        ck_assert_ptr_nonnull(r->bytes);
    }
    memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
}

static inline bool
rescued_never(void *ctx)
{
    (void)ctx;
    return false;
}

static inline void
count_losses(struct rescue *rescue, struct rescued *ret)
{
    struct loss l;

    for (uint64_t i = 0; i < rescue->scan.losses.count; i++) {
        ck_assert_int_eq(records_get(&rescue->scan.losses, i, &l), 0);
        ck_assert_uint_le(l.from, l.until);
        ck_assert_str_ne(l.reason, "");
        ret->losses[l.kind]++;
        ret->keys_lost += l.is_kept ? 0 : l.keys;
        if (i == 0)
            ret->first = l;
    }
}

/* rescue_bytes: the rescue of a file; how: with the caller's wishes, or NULL.  Nothing is written
 * where no key was found. */
static inline void
rescue_bytes(const void *bytes, size_t len, const struct rescue *how, struct rescued *ret)
{
    const struct write_to to = {rescued_put, rescued_never, ret};
    struct rescue rescue = {.run = NULL};
    int fd = memfd_create("damaged", MFD_CLOEXEC), r;

    if (how != NULL)
        rescue = *how;
    *ret = (struct rescued){.bytes = NULL};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    ck_assert_int_eq(rescue_init(&rescue, fd, len), 0);
    r = rescue_look(&rescue);
    ck_assert(r == 0 || r == -ENOTSUP);
    ret->keys = rescue_keys(&rescue);
    ret->is_whole = rescue.is_whole;
    if (r == 0 && (ret->is_whole || ret->keys > 0))
        ck_assert_int_eq(rescue_write(&rescue, &to), 0);
    count_losses(&rescue, ret);
    rescue_fini(&rescue);
    close(fd);
}

/* damaged: a byte as one of WAYS makes it. */
static inline uint8_t
damaged(uint8_t byte, unsigned way)
{
    static const uint8_t set[] = {0x00, 0xff, 0x80, 0xc3};

    return way < 8 ? byte ^ (uint8_t)(1u << way) : way < 12 ? set[way - 8] : (uint8_t)~byte;
}
enum { WAYS = 13 };

/* is_true: it is an RDB with a right checksum; are all its keys of `was`?  Where a database's
 * number is lost, the list says so. */
static inline bool
is_true(const struct rescued *r, const struct kept *was, const struct kept_key **ret)
{
    static struct kept saved;

    *ret = NULL;
    if (r->bytes == NULL)
        return true;
    ck_assert_int_eq(kept_of(r->bytes, r->len, true, &saved), 0);
    ck_assert_uint_eq(saved.count, r->keys);
    *ret = stranger(&saved, was, r->losses[LOSS_DATABASE] > 0);
    return *ret == NULL;
}

/* check_saved: is_true(); what, at, way: the damage, for the message. */
static inline void
check_saved(const struct rescued *r, const struct kept *was, const char *what, size_t at,
            unsigned way)
{
    const struct kept_key *k;

    ck_assert_msg(is_true(r, was, &k), "%s %zu, %u: the key %s of %llu is invented", what, at, way,
                  k->name, (unsigned long long)k->db);
}

#endif
