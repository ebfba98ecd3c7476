/* snapshot/rdb/rdb_dec_impl.h - what the decoder's files share: its state, and how they read and
 * fail.
 *
 * Every function that returns int gives 0, or the value with which rdb_decode() ends: then *err was
 * filled.
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_RDB_DEC_IMPL_H
#define SNAPSHOT_RDB_RDB_DEC_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot/rdb/field_set.h"
#include "snapshot/rdb/lzf.h"
#include "snapshot/rdb/rdb.h"
#include "snapshot/rdb/rdb_dec.h"
#include "snapshot/rdb/rdb_source_impl.h"

/* What is held whole, a string mostly; the memory is kept for the next one. */
struct bytes {
    uint8_t *at; /* [owned] */
    size_t len, capacity;
    /* who gave the memory, and takes it back: as in struct rdb_reader; NULL: malloc() */
    void *(*large)(void *at, size_t had, size_t room);
};

struct dec {
    struct rdb_source *src;
    const struct rdb_events *ev;
    void *ctx;
    struct rdb_error *err;
    bool check_crc;
    int version;
    /* what is being read, for the message that the file ends in the middle of it */
    const char *what;
    bool has_key;        /* `name` is the key in hand */
    struct rdb_key key;  /* the next or current key: its attributes come before it */
    bool has_attributes; /* an expiry, IDLE or FREQ waits for its key */
    bool has_seen_key;   /* the file's head is over */
    struct slice given;  /* of a value alone: its key */
    const struct rdb_place *given_place; /* of a file's rest: where it begins */
    struct bytes name, field, value;
    struct lzf_window window;
    struct field_set fields;    /* of the hash in hand */
    struct field_set libraries; /* names of function libraries */
    unsigned carried;           /* libraries, and AUX fields that are carried */
    uint64_t elements;          /* of the list in hand, so far */
    bool is_raw;                /* the value in hand is told as it stands in the file, too ... */
    uint64_t raw_from;          /* ... from this offset on it was not yet */
    uint64_t next_progress;
};

/* A string being read. */
struct string_in {
    enum rdb_form form;
    uint64_t offset; /* where it starts in the file */
    /* of the string; a claim that has been checked against what the file can hold */
    uint64_t len;
    uint64_t left;        /* of len, not delivered yet */
    uint64_t packed_left; /* LZF: bytes of the file */
    char text[12];        /* RDB_FORM_INT: the number printed */
};

/* rdb_dec_string.c: failing, finding, and strings. */
/* dec_fail: fill *err; returns code. */
int dec_fail(struct dec *d, uint64_t offset, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* dec_fail_in_file: the same of the file itself, where its reading stands: of the frame around a
 * compressed RDB.  dec_unreadable: what source_fill() or source_unwrap() said, but that it ends. */
int dec_fail_in_file(struct dec *d, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int dec_unreadable(struct dec *d, int error);
/* dec_find: tell of something that is read all the same; 0, or what the sink returned.  The remedy
 * is added. */
int dec_find(struct dec *d, uint64_t offset, enum rdb_finding_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* dec_find_empty: the key in hand, a `what`, has no element. */
int dec_find_empty(struct dec *d, const char *what);
/* dec_need: n bytes in hand, n <= SOURCE_BUFFER_BYTES. */
int dec_need(struct dec *d, size_t n);
/* dec_raw: what was read of the value and not told yet, to the sink; it must still stand in the
 * stretch. */
int dec_raw(struct dec *d);
/* dec_sink: pass on what a sink's call returned. */
int dec_sink(struct dec *d, int r);
/* dec_progress: report progress now and then; call it where time passes. */
int dec_progress(struct dec *d);

int dec_byte(struct dec *d, uint8_t *ret);
int dec_le(struct dec *d, unsigned bytes, uint64_t *ret);
int dec_len(struct dec *d, uint64_t *ret);
int dec_string_begin(struct dec *d, struct string_in *s);
/* dec_string_next: the next piece, up to 64 KiB; valid until the next read.  Only while s->left >
 * 0. */
int dec_string_next(struct dec *d, struct string_in *s, struct slice *ret);
/* dec_string_whole: all of the string into b (dec_string_rest: what follows dec_string_begin()). */
int dec_string_whole(struct dec *d, struct bytes *b);
int dec_string_rest(struct dec *d, struct string_in *s, struct bytes *b);
/* dec_string_value: all of it into d->value, or read over, if the sink wants no values: then *ret
 * has no bytes. */
int dec_string_value(struct dec *d, struct slice *ret);
/* dec_string_here: all of the string, good until the next read: where it stands plainly, as bytes
 * of the source, else in b (dec_string_here_rest: what follows dec_string_begin()). */
int dec_string_here(struct dec *d, struct bytes *b, struct slice *ret);
int dec_string_here_rest(struct dec *d, struct string_in *s, struct bytes *b, struct slice *ret);
/* dec_value_begin: as dec_string_begin() for the string that a value is, or stands in: its form is
 * told.
 * dec_value_blob: all of that string, which holds a small value, as dec_string_here() gives it;
 * b is d->value. */
int dec_value_begin(struct dec *d, struct string_in *s);
int dec_value_blob(struct dec *d, struct slice *ret, uint64_t *ret_offset);
/* dec_plain: the string at p, if it stands there plainly and before end, which are of the source:
 * returns what follows it; NULL: it does not. */
static inline const uint8_t *dec_plain(const uint8_t *p, const uint8_t *end, struct slice *ret);
/* rdb_dec_bytes.c */
/* dec_more: room for more bytes behind those that are there; at most twice what is needed.
 * dec_reserve: b, whose bytes are forgotten, has room for so many. */
int dec_more(struct dec *d, struct bytes *b, size_t more);
int dec_reserve(struct dec *d, struct bytes *b, size_t room);
/* dec_settle: so many bytes were added, and are not looked at soon. */
void dec_settle(const struct bytes *b, size_t added);
/* dec_trim: give a large buffer back.  dec_forget: any. */
void dec_trim(struct bytes *b);
void dec_forget(struct bytes *b);

/* dec_string_over: what follows dec_string_begin(), of which nobody wants the bytes; that it
 * unpacks to what it claims is looked at.  dec_string_skip: a string, of which only the length is
 * looked at.  dec_string_skip_rest: what follows dec_string_begin().  dec_skip_bytes: n bytes. */
int dec_string_skip_rest(struct dec *d, const struct string_in *s);
int dec_string_over(struct dec *d, struct string_in *s);
int dec_string_skip(struct dec *d);
int dec_skip_bytes(struct dec *d, uint64_t n);

/* rdb_dec.c: dec_name: a key's name, after its type byte. */
int dec_name(struct dec *d);
/* rdb_dec_skip.c: dec_skip: a value of which nobody wants to know anything, by the shape of its
 * type. */
int dec_skip(struct dec *d, const char *shape);
/* rdb_dec_unknown.c: what is known by name, or not at all. */
/* dec_not_read: refuse a "type" or "opcode": -ENOTSUP.  since: who wrote it first, or NULL. */
int dec_not_read(struct dec *d, uint64_t offset, const char *kind, unsigned number,
                 const char *name, const char *since);
/* dec_unknown: tell of what was read over; is_key: it is the value of the key in hand. */
int dec_unknown(struct dec *d, bool is_key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* dec_module_aux: after its opcode.  dec_unknown_key: a key of no type that is read, after its type
 * byte, which stands at offset; dec_unknown_value: its value, after its name. */
int dec_module_aux(struct dec *d);
int dec_unknown_key(struct dec *d, uint8_t type, uint64_t offset);
int dec_unknown_value(struct dec *d, uint8_t type, uint64_t offset);
/* rdb_dec_version.c: dec_magic: the file's first bytes; d->version is known then. */
int dec_magic(struct dec *d);
/* rdb_dec_frame.c */
/* dec_unwrap: if the file is compressed as a whole, read what is in it from here on. */
int dec_unwrap(struct dec *d);
/* dec_end: nothing follows `what`. */
int dec_end(struct dec *d, const char *what);

/* rdb_dec_hash.c, for other types too. */
/* dec_listpack: is the blob, which stands at offset, a listpack?  *ret_count: its elements.  A
 * wrong count in its head is put right, in d->value, where the blob is then.  whose: "the
 * hash's". */
int dec_listpack(struct dec *d, struct slice *blob, uint64_t offset, const char *whose,
                 uint32_t *ret_count);
/* dec_ziplist: the same of a ziplist, of which nothing is put right. */
int dec_ziplist(struct dec *d, struct slice blob, uint64_t offset, const char *whose,
                uint64_t *ret_count);

/* rdb_dec_hash.c, rdb_dec_old.c: the value of a hash key, by its type. */
int dec_hash_plain(struct dec *d);
int dec_hash_listpack(struct dec *d);
int dec_hash_zipmap(struct dec *d);
int dec_hash_ziplist(struct dec *d);
/* rdb_dec_expires.c: hashes whose fields may expire.  rc: of Redis 7.4's release
 * candidates. */
int dec_hash_expires(struct dec *d);
int dec_hash_expires_listpack(struct dec *d);
int dec_hash_expires_rc(struct dec *d);
int dec_hash_expires_listpack_rc(struct dec *d);
int dec_hash_expires_valkey(struct dec *d);
/* rdb_dec_set.c */
int dec_set_plain(struct dec *d);
int dec_set_intset(struct dec *d);
int dec_set_listpack(struct dec *d);
/* rdb_dec_zset.c: the value of a sorted set. */
int dec_zset_ascii(struct dec *d);
int dec_zset_binary(struct dec *d);
int dec_zset_listpack(struct dec *d);
int dec_zset_ziplist(struct dec *d);
/* rdb_dec_stream.c */
int dec_stream_1(struct dec *d);
int dec_stream_2(struct dec *d);
int dec_stream_3(struct dec *d);
/* rdb_dec_hash.c: dec_new_field: fail if the hash in hand had that field. */
int dec_new_field(struct dec *d, uint64_t offset, struct slice field);
/* dec_new_member: the same of a sorted set's member. */
int dec_new_member(struct dec *d, uint64_t offset, struct slice member);

/* rdb_dec_list.c: the value of a list key, by its type. */
int dec_list_plain(struct dec *d);
int dec_list_ziplist(struct dec *d);
int dec_list_ziplists(struct dec *d);
int dec_list_quicklist(struct dec *d);

/* dec_has: the verb for source_left() in a message. */
static inline const char *
dec_has(const struct dec *d)
{
    return d->src->is_counted ? "has" : "can have at most";
}

static inline struct slice
bytes_slice(const struct bytes *b)
{
    return slice_of(b->at, b->len);
}

static inline const uint8_t *
dec_plain(const uint8_t *p, const uint8_t *end, struct slice *ret)
{
    enum { LEN_MOST = 5 };
    size_t len;

    if (unlikely(end - p < LEN_MOST))
        return NULL;
    if (*p < RDB_LEN_14) {
        len = *p++;
    } else if (*p < RDB_LEN_32) {
        len = (size_t)(p[0] & 0x3f) << 8 | p[1];
        p += 2;
    } else if (*p == RDB_LEN_32) {
        len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        p += LEN_MOST;
    } else {
        return NULL;
    }
    if (unlikely(len > (size_t)(end - p)))
        return NULL;
    *ret = slice_of(p, len);
    return p + len;
}

#endif
