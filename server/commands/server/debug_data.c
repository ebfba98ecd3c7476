/* server/commands/server/debug_data.c - DEBUG DIGEST, DIGEST-VALUE, POPULATE, OBJECT and RELOAD. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/server/debug.h"
#include "server/config/config.h"
#include "server/data/db/digest.h"
#include "server/data/db/dump.h"
#include "server/data/db/lfu.h"
#include "server/data/db/value.h"
#include "server/exec/args.h"
#include "server/exec/exec.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "server/persist/persist.h"

static void
reply_digest(struct client *c, const uint8_t digest[DIGEST_BYTES])
{
    char text[DIGEST_TEXT_BYTES];

    digest_text(digest, text);
    reply_status(c, text);
}

void
debug_digest(struct client *c)
{
    uint8_t digest[DIGEST_BYTES];

    digest_all(digest);
    reply_digest(c, digest);
}

void
debug_digest_value(struct client *c)
{
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        const struct record *r = db_peek(c->db, c->argv[i]);
        uint8_t digest[DIGEST_BYTES] = {0};

        if (r != NULL)
            digest_value(r, digest);
        reply_digest(c, digest);
    }
}

/* ---- POPULATE ---- */

/* join: prefix, a colon, a number. */
static size_t
join(char *to, struct slice prefix, uint64_t n)
{
    memcpy(to, prefix.ptr, prefix.len);
    to[prefix.len] = ':';
    return (size_t)(num_put_unsigned(to + prefix.len + 1, n) - to);
}

struct populate {
    struct slice prefix;
    char *key, *value; /* value: value_bytes zeros, or room for "value:<n>" when that is 0 */
    size_t value_bytes;
};

/* add_key: key number n, unless it is there.  0 or -ENOMEM */
static int
add_key(struct client *c, const struct populate *p, uint64_t n)
{
    struct slice key = {.ptr = p->key, .len = join(p->key, p->prefix, n)};
    struct slice bytes = {.ptr = p->value, .len = p->value_bytes};
    char text[sizeof "value:" + NUM_MAX_BYTES];
    size_t text_len = join(text, SLICE("value"), n);
    struct db_ref ref;
    struct value v;

    if (db_lookup(c->db, key, DB_WRITE, &ref) != NULL)
        return 0;
    if (bytes.len == 0)
        bytes = (struct slice){.ptr = text, .len = text_len};
    else
        memcpy(p->value, text, text_len < bytes.len ? text_len : bytes.len);
    if (value_blob(&v, TYPE_STRING, bytes, key.len) < 0)
        return -ENOMEM;
    if (db_store(&ref, &v, RECORD_NO_EXPIRE) < 0) {
        value_free(&v);
        return -ENOMEM;
    }
    return 0;
}

void
debug_populate(struct client *c)
{
    struct populate p = {.prefix = c->argc > 3 ? c->argv[3] : SLICE("key")};
    int64_t count, size = 0, n = 0;
    int r = 0;

    if (exec_refused_loading(c)) /* what the dump brings would be there already */
        return;
    if (!arg_positive(c, 2, &count) || (c->argc > 4 && !arg_positive(c, 4, &size)))
        return;
    p.value_bytes = (size_t)size;
    p.key = malloc(p.prefix.len + 1 + NUM_MAX_BYTES);
    p.value = p.value_bytes <= config.proto_max_bulk_len ? calloc(1, p.value_bytes + 1) : NULL;
    if (p.key == NULL || p.value == NULL)
        r = -ENOMEM;
    while (n < count && r == 0 && (r = add_key(c, &p, (uint64_t)n)) == 0)
        n++;
    if (r < 0)
        reply_errorf(c, "OOM the arena has no memory left: %lld of %lld keys are there",
                     (long long)n, (long long)count);
    else
        reply_ok(c);
    free(p.key);
    free(p.value);
}

/* ---- OBJECT ---- */

void
debug_object(struct client *c)
{
    const struct record *r = db_peek(c->db, c->argv[2]);
    char line[256];
    struct value v;

    if (r == NULL) {
        reply_no_key(c);
        return;
    }
    v = value_of(r);
    snprintf(line, sizeof line,
             "Value at:%p refcount:%d encoding:%s serializedlength:%llu lru:%u lru_seconds_idle:%u",
             (const void *)r, db_refcount(&v), value_encoding_name(&v),
             (unsigned long long)dump_bytes(r), record_clock(r) & LFU_FIELD_MASK,
             lfu_idle_s(record_clock(r)));
    reply_status(c, line);
}

/* ---- RELOAD ---- */

struct reload_options {
    bool save, flush, merge;
};

static bool
parse_reload(struct client *c, struct reload_options *o)
{
    *o = (struct reload_options){.save = true, .flush = true, .merge = false};
    for (int i = 2; i < c->argc; i++) {
        if (arg_is(c, i, "nosave")) {
            o->save = false;
        } else if (arg_is(c, i, "noflush")) {
            o->flush = false;
        } else if (arg_is(c, i, "merge")) {
            o->merge = true;
        } else {
            reply_error(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return false;
        }
    }
    return true;
}

void
debug_reload(struct client *c)
{
    struct reload_options o;
    struct text why = {.at = NULL};

    if (exec_refused_loading(c) || !parse_reload(c, &o))
        return;
    if (o.save && persist_save_now() < 0) {
        reply_errorf(c, "ERR the save failed: %s", persist_cause());
        return;
    }
    if (persist_reload(o.flush, o.merge, &why) != 0)
        reply_errorf(c, "ERR Error trying to load the RDB dump, check server logs: %s",
                     text_why(&why));
    else
        reply_ok(c);
    c->db = db_select(c->db_index);
    text_free(&why);
}
