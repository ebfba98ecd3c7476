/* server/commands/server/debug_tables.c - DEBUG subcommands that describe structures. */
#include <stdio.h>
#include <string.h>

#include "mm/base/log.h"
#include "mm/base/num.h"
#include "mm/base/text.h"
#include "server/commands/server/debug.h"
#include "server/data/db/db.h"
#include "server/data/db/value.h"
#include "server/data/hash/hash.h"
#include "server/data/list/list.h"
#include "server/data/set/mtable.h"
#include "server/exec/args.h"
#include "server/net/client.h"
#include "server/net/reply.h"
#include "snapshot/rdb/listpack.h"

static void
describe(struct text *t, const char *title, uint64_t count, uint64_t buckets, uint64_t children)
{
    text_addf(t, "[%s]\n number of elements: %llu\n buckets: %llu, overflow buckets: %llu\n", title,
              (unsigned long long)count, (unsigned long long)buckets, (unsigned long long)children);
    text_addf(t, " places used: %.1f %%\n",
              buckets > 0 ? 100.0 * (double)count / (double)((buckets + children) * LT_SLOTS) : 0);
}

static void
reply_text(struct client *c, struct text *t)
{
    reply_verbatim(c, "txt", text_str(t), t->len);
    text_free(t);
}

void
debug_htstats(struct client *c)
{
    const struct db *db;
    const struct ktable *keys, *expiring;
    struct text t = {0};
    int64_t index;

    if (!arg_int(c, 2, &index))
        return;
    if (index < 0 || index >= db_count()) {
        reply_error(c, "ERR Out of range database");
        return;
    }
    db = db_select((int)index);
    keys = db_table_of_keys(db);
    expiring = db_table_of_expiring(db);
    describe(&t, "Dictionary HT", keys->count, keys->buckets, keys->children);
    describe(&t, "Expires HT", expiring->count, expiring->buckets, expiring->children);
    reply_text(c, &t);
}

static const struct record *
find(struct client *c)
{
    struct db_ref ref;

    if (db_lookup(c->db, c->argv[2], 0, &ref) == NULL)
        reply_no_key(c);
    return ref.rec;
}

void
debug_htstats_key(struct client *c)
{
    const struct record *r = find(c);
    struct text t = {0};

    if (r == NULL)
        return;
    if (record_encoding(r) == ENC_ROOT && hash_is(r)) { /* either root begins with the table */
        const struct htable *table = record_root(r);

        describe(&t, "Hash table", table->count, table->buckets, table->children);
    } else if (record_encoding(r) == ENC_ROOT && record_type(r) == TYPE_SET) {
        const struct mtable *table = record_root(r);

        describe(&t, "Hash table", table->count, table->buckets, table->children);
    } else {
        reply_error(
            c, "ERR The value stored at the specified key is not represented using an hash table");
        return;
    }
    reply_text(c, &t);
}

static bool
is_encoded(const struct record *r, const char *name)
{
    struct value v = value_of(r);

    return strcmp(value_encoding_name(&v), name) == 0;
}

void
debug_listpack(struct client *c)
{
    const struct record *r = find(c);

    if (r == NULL)
        return;
    if (record_encoding(r) == ENC_ROOT || !is_encoded(r, "listpack")) {
        reply_error(c, "ERR Not a listpack encoded object.");
        return;
    }
    log_line(LOG_WARNING, "DEBUG LISTPACK: %zu bytes, %u entries", record_blob(r).len,
             (unsigned)lp_count((const uint8_t *)record_blob(r).ptr));
    reply_status(c, "Listpack structure printed on stdout");
}

void
debug_quicklist(struct client *c)
{
    const struct record *r = find(c);
    struct list_shape s;

    if (r == NULL)
        return;
    if (!is_encoded(r, "quicklist")) {
        reply_error(c, "ERR Not a quicklist encoded object.");
        return;
    }
    list_shape(r, &s);
    log_line(LOG_WARNING,
             "DEBUG QUICKLIST: %llu elements, %llu nodes; %llu in the first, %llu in the last",
             (unsigned long long)s.elements, (unsigned long long)s.nodes,
             (unsigned long long)s.first, (unsigned long long)s.last);
    reply_status(c, "Quicklist structure printed on stdout");
}

void
debug_sdslen(struct client *c)
{
    const struct record *r = find(c);
    char scratch[NUM_MAX_BYTES], text[160];

    if (r == NULL)
        return;
    if (record_type(r) != TYPE_STRING) {
        reply_error(c, "ERR Not an sds encoded string.");
        return;
    }
    snprintf(
        text, sizeof text,
        "key_sds_len:%zu, key_sds_avail:0, key_zmalloc: %zu, val_sds_len:%zu, val_sds_avail:0, val_zmalloc:%zu",
        record_key_len(r), mm_usable(r), record_text(r, scratch).len,
        record_encoding(r) == ENC_OUTER ? mm_usable(record_blob(r).ptr) : 0);
    reply_status(c, text);
}

void
debug_structsize(struct client *c)
{
    char text[128];

    snprintf(text, sizeof text, "bits:%d record_head_max:%d bucket:%zu client:%zu",
             (int)sizeof(void *) * 8, (int)RECORD_HEAD_MAX, sizeof(struct lt_bucket),
             sizeof(struct client));
    reply_status(c, text);
}
