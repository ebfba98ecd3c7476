/* snapshot/rdb/rdb_dec.h - read RDB.  The one decoder: loading, checking, inspecting are sinks for
 * it.
 *
 * Input is not trusted: every length is checked against what is there before memory is taken for
 * it, listpacks are validated entry by entry (duplicate fields included) before a sink sees them.
 * Threads: one at a time. */
#ifndef SNAPSHOT_RDB_RDB_DEC_H
#define SNAPSHOT_RDB_RDB_DEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/base/slice.h"
#include "snapshot/rdb/stream_node.h"

/* Where the bytes come from: rdb_source_file() reads a regular file front to back;
 * rdb_source_memory() the caller's buffer, which stays his.  0 or -errno.  A source is read
 * once.  A file that is compressed as a whole (Valkey's envelope around an LZ4 frame) is known by
 * its first bytes and unpacked on the way, in 9 MiB at most; a reader's is his to unpack. */
struct rdb_source;

/* Input that somebody else reads: a pipe, what a thread unpacks ahead. */
enum { RDB_READER_HEADROOM = 256 * 1024, RDB_LARGE_BYTES = 4 << 20 };
struct rdb_reader {
    /* The next stretch: *ret_len bytes; 0: the input has ended.  RDB_READER_HEADROOM bytes before
     * *ret are the source's to write to, and all of it is the source's until the next call.  0 or
     * -errno; -EBADMSG: wrong() says what is wrong with the input. */
    int (*next)(void *ctx, uint8_t **ret, size_t *ret_len);
    const char *(*wrong)(void *ctx);
    uint64_t (*consumed)(void *ctx); /* bytes of the file: for progress, and where it is wrong */
    void (*close)(void *ctx);
    /* Where the decoder holds what it must hold whole and is larger than RDB_LARGE_BYTES, as
     * realloc(): the `had` bytes at `at` stay; at NULL: new; room 0: given back; room == had:
     * nobody looks at them soon.  NULL: there is no room, and malloc() is asked.  May be NULL:
     * malloc() it is. */
    void *(*large)(void *at, size_t had, size_t room);
};
/* size: of the file, 0 if not known; is_packed: what comes is not the file's bytes, but the RDB in
 * it (offsets are then told as "of the decompressed RDB"); has_sums: the form around it has
 * checksums of its own, which were compared (RDB_CRC_FRAME). */
int rdb_source_reader(const struct rdb_reader *reader, void *ctx, uint64_t size, bool is_packed,
                      bool has_sums, struct rdb_source **ret);
int rdb_source_file(const char *path, struct rdb_source **ret);
int rdb_source_memory(const void *bytes, size_t len, struct rdb_source **ret);
void rdb_source_close(struct rdb_source *src);
uint64_t rdb_source_offset(const struct rdb_source *src);   /* bytes of the RDB consumed */
uint64_t rdb_source_consumed(const struct rdb_source *src); /* bytes of the file: for progress */
uint64_t rdb_source_size(const struct rdb_source *src);     /* of the whole file */
bool rdb_source_is_packed(const struct rdb_source *src);    /* known once decoding has begun */

enum rdb_value_kind {
    RDB_VALUE_STRING,
    RDB_VALUE_LIST,
    RDB_VALUE_SET,
    RDB_VALUE_HASH,
    RDB_VALUE_ZSET,
    RDB_VALUE_STREAM,
    RDB_VALUE_COUNT
};

struct rdb_key {
    struct slice name;
    uint64_t db;
    int64_t expire_at_ms; /* -1: none; unix ms, other negative numbers being long past */
    int64_t idle_s;       /* -1: not given */
    int freq;             /* -1: not given */
    uint8_t type;         /* the type number as in the file */
    enum rdb_value_kind kind;
    uint64_t offset; /* of the type byte */
    uint64_t begin;  /* of the first byte that is about it: of its attributes */
};

/* How the string that is a value, or holds one, stands in the file. */
enum rdb_form { RDB_FORM_INT, RDB_FORM_PLAIN, RDB_FORM_LZF };

/* What became of the checksum.  NONE: before version 5.  FRAME: the RDB has none, but the frame
 * around it has, and they were right. */
enum rdb_crc { RDB_CRC_NONE, RDB_CRC_ZERO, RDB_CRC_UNCHECKED, RDB_CRC_GOOD, RDB_CRC_FRAME };

/* A stream but for its entries, a group but for its consumers, and what is pending for one. */
struct rdb_stream {
    uint64_t length;
    struct stream_id last, max_deleted;
    uint64_t entries_added;
    /* false: of an older form, which had neither max_deleted nor entries_added: 0-0, length */
    bool has_counters;
};
struct rdb_stream_group {
    struct slice name;
    struct stream_id last;
    int64_t entries_read; /* -1: not known */
};
struct rdb_stream_pending {
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t deliveries;
};

/* What becomes of an AUX field (rdb_aux.def).  REFUSED ones end the decoding; of those that are
 * CARRIED, no one comes among the keys: it could not be put back where it was, and is a finding. */
enum rdb_aux_fate { RDB_AUX_ANEW, RDB_AUX_CARRIED, RDB_AUX_DROPPED, RDB_AUX_REFUSED };
struct rdb_aux {
    const char *name, *about; /* NULL: of one that nobody knows */
    enum rdb_aux_fate fate;
};
const struct rdb_aux *rdb_aux_of(struct slice name); /* [any] */

/* rdb_library_name: a function library's name, from its first line: "#!lua name=mylib", whose
 * words may be quoted as Redis reads them, but not with escapes.  Empty: it has none. [any] */
struct slice rdb_library_name(struct slice code);

/* What is wrong with a file that is read all the same (rdb_finding.def): a number that follows from
 * the data and says something else, a collection without an element.  The data's own word counts.
 * Whoever judges a file, or tells its user what became of it, lists these: the server's log and the
 * tool's `check` say the same. */
enum rdb_finding_kind {
#define FINDING(name, plural, remedy) RDB_FINDING_##name,
#include "snapshot/rdb/rdb_finding.def"
#undef FINDING
    RDB_FINDINGS
};
struct rdb_finding {
    enum rdb_finding_kind kind;
    uint64_t offset;
    const char *within; /* as in struct rdb_error */
    char key[128];      /* as in struct rdb_error */
    char text[256];     /* what is wrong, and what is done about it */
};
/* rdb_finding_plural: "wrong counts".  rdb_finding_remedy: "counted anew".  [any] */
const char *rdb_finding_plural(enum rdb_finding_kind kind);
const char *rdb_finding_remedy(enum rdb_finding_kind kind);

/* What a user of the decoder brings.  Any call may be NULL (the item is skipped); a call that
 * returns non-zero ends decoding with that value.  Slices are valid during the call only, but for a
 * key's name and for the one listpack or intset that is all of a hash, set or sorted set, which
 * stay until value_end has returned.  Values come after their key: key, [form], then by kind
 *     string_begin string_bytes* | hash_listpack | hash_begin hash_field*
 *     set_intset | set_listpack | set_begin set_member*
 *     stream_begin stream_node* stream_facts (stream_group (stream_consumer stream_pending*)*)*
 * then value_end.  A finding comes before the events of what it is about, with what is right in
 * these.  A key without an element (RDB_FINDING_EMPTY_KEY) still has its begin, perhaps, and its
 * value_end: nobody keeps it.  No two fields of a hash_listpack, or of the older small forms, and
 * no two members of a set_intset or set_listpack are the same; of the plain forms, of groups and of
 * a group's consumers the sink looks for duplicates itself, since it holds them. */
enum { RDB_SHORT_BYTES = 20 };
struct rdb_events {
    /* no_values: who only counts: values of hash fields and elements of lists that stand alone are
     * read over, and come with their length and no bytes, however long they are; but with them if
     * they are no longer than RDB_SHORT_BYTES, since those may be integers */
    bool no_values;
    /* any_version: a version that is not known is tried, and a finding */
    bool any_version;
    /* skip_unknown: what is not read, but ends where it says itself (values and AUX of modules), is
     * read over and told to `unknown`; key: NULL if it is none's */
    bool skip_unknown;
    int (*unknown)(void *ctx, const struct rdb_key *key, const char *what);
    int (*start)(void *ctx, int version);
    /* what to do: rdb_aux_of() */
    int (*aux)(void *ctx, struct slice key, struct slice value);
    int (*selectdb)(void *ctx, uint64_t db);
    /* claims: a hint, not a size to allocate */
    int (*resizedb)(void *ctx, uint64_t keys, uint64_t expires);
    int (*function)(void *ctx, struct slice code);
    int (*finding)(void *ctx, const struct rdb_finding *finding);
    /* A key, before its value.  RDB_SKIP_VALUE: nothing is told of its value, which is read over;
     * its value_end comes. */
    int (*key)(void *ctx, const struct rdb_key *key);
    /* The value as it stands in the file, without its type byte: all pieces have come when
     * value_end does.  Not of what plain_string gets. */
    int (*raw)(void *ctx, struct slice piece);
    /* Before each opcode, and before each key's attributes or type byte: where it begins. */
    int (*item)(void *ctx, uint64_t offset);
    /* A key and its string at once, where both stand plainly in the decoder's hands: most do, up to
     * some 100 KB.  NULL: they come as the others do. */
    int (*plain_string)(void *ctx, const struct rdb_key *key, struct slice value);
    /* len: of the string, decompressed; a claim, not yet seen.  RDB_SKIP_VALUE: no bytes of it are
     * told, and nobody looks whether they can be decompressed. */
    int (*string_begin)(void *ctx, uint64_t len);
    /* pieces add up to len; one piece up to 64 KiB */
    int (*string_bytes)(void *ctx, struct slice piece);
    /* list_begin (list_element | list_listpack)* list_end: elements in their order; a listpack is
     * validated and not empty. */
    int (*list_begin)(void *ctx);
    int (*list_ziplist)(void *ctx); /* before the elements of each, of a list of several */
    int (*list_element)(void *ctx, struct slice element);
    int (*list_listpack)(void *ctx, struct slice listpack, uint32_t elements);
    int (*list_end)(void *ctx);
    int (*hash_listpack)(void *ctx, struct slice listpack, uint32_t fields); /* validated */
    /* a claim, not yet seen */
    int (*hash_begin)(void *ctx, uint64_t fields);
    int (*hash_field)(void *ctx, struct slice field, struct slice value);
    /* a field that expires, unix ms; NULL: such a hash is refused (-ENOTSUP) */
    int (*hash_field_expiring)(void *ctx, struct slice field, struct slice value,
                               int64_t expire_at_ms);
    /* validated: rising */
    int (*set_intset)(void *ctx, struct slice intset, uint32_t members);
    int (*set_listpack)(void *ctx, struct slice listpack, uint32_t members); /* validated */
    /* a claim, not yet seen */
    int (*set_begin)(void *ctx, uint64_t members);
    int (*set_member)(void *ctx, struct slice member);
    /* Sorted sets, by the same rules: zset_listpack, validated, members and scores in order; or
     * zset_begin (a claim) and its members in any order, which are told apart by the sink where the
     * type is one of the plain forms (RDB_TYPE_ZSET, RDB_TYPE_ZSET_2).  A score is never NaN. */
    int (*zset_listpack)(void *ctx, struct slice listpack, uint32_t members);
    int (*zset_begin)(void *ctx, uint64_t members);
    int (*zset_member)(void *ctx, struct slice member, double score);
    int (*stream_begin)(void *ctx, uint64_t nodes); /* a claim, not yet seen */
    int (*stream_node)(void *ctx, struct stream_id id, struct slice listpack,
                       const struct stream_node_sum *sum); /* validated, in order */
    int (*stream_facts)(void *ctx, const struct rdb_stream *facts);
    int (*stream_group)(void *ctx, const struct rdb_stream_group *group);
    int (*stream_consumer)(void *ctx, struct slice name, int64_t seen_ms, int64_t active_ms);
    int (*stream_pending)(void *ctx, const struct rdb_stream_pending *pending);
    int (*value_end)(void *ctx);
    int (*progress)(void *ctx, uint64_t consumed); /* of the file; about every 2 MiB of RDB */
    int (*form)(void *ctx,
                /* before the value; not of a plain hash, which is many strings */
                enum rdb_form form);
    int (*end)(void *ctx, enum rdb_crc crc); /* the file is whole */
};

enum { RDB_SKIP_VALUE = 1 << 20 };

struct rdb_error {
    uint64_t offset;
    /* to be told behind the offset: "" of the file's own, " of the decompressed RDB" of others */
    const char *within;
    char key[128];  /* the key being read, printable and shortened; empty if none */
    char text[256]; /* what is wrong, without the offset */
};

/* rdb_decode: read the whole file.  0; -EINVAL: bad contents, *err says what and where; -ENOTSUP: a
 * version, type or opcode that is not read, named in *err; -EIO, -ENOMEM or another -errno: reading
 * failed; or what a sink returned: then err->offset and err->key are filled, and err->text is what
 * the sink itself put there, or empty. check_crc: compare the trailer (a zero trailer means "not
 * computed"). Memory: fixed, but for what is held whole (a string value is passed on in pieces): a
 * key, an element, a field and its value, a small form, what is pending in a group.  It takes no
 * more than twice what the file really holds of it, and nothing of the process's own beyond
 * RDB_LARGE_BYTES if the reader has a place for it.  Of a small form (one listpack, ziplist or
 * zipmap) 32 to 64 bytes for each field or member come to that, while duplicates are looked for. */
int rdb_decode(struct rdb_source *src, const struct rdb_events *ev, void *ctx, bool check_crc,
               struct rdb_error *err);

/* rdb_decode_items: from the middle on, where an opcode, attributes or a type byte stand, to the
 * end; place: what was known there, offsets counted from its own.  No checksum is compared. */
struct rdb_place {
    int version;
    uint64_t db, offset;
};
int rdb_decode_items(struct rdb_source *src, const struct rdb_place *place,
                     const struct rdb_events *ev, void *ctx, struct rdb_error *err);

/* rdb_decode_value: one value alone, as DUMP has it: a type byte, then the value, to the source's
 * end; the key `name` is the caller's, and so is the version that says what numbers mean.  The
 * events of a key, from `key` to `value_end`; the latter comes before it is known that nothing
 * follows, so what was made of the value is worth something only if this returns 0. Otherwise as
 * rdb_decode(). */
int rdb_decode_value(struct rdb_source *src, int version, struct slice name,
                     const struct rdb_events *ev, void *ctx, struct rdb_error *err);

#endif
