/* server/commands/string/string_range.c - parts of strings: APPEND, SETRANGE, GETRANGE, STRLEN. */
#include <errno.h>

#include "mm/base/num.h"
#include "server/commands/string/string.h"
#include "server/config/config.h"
#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/client.h"
#include "server/net/reply.h"

#include "server/commands/string/string.def"

static size_t
string_len(const struct db_ref *ref)
{
    char scratch[NUM_MAX_BYTES];

    return ref->rec == NULL ? 0 : record_text(ref->rec, scratch).len;
}

/* length_is_good: may a string be that long?  If not, an error was replied. */
static bool
length_is_good(struct client *c, uint64_t offset, size_t more)
{
    uint64_t total;

    if (!__builtin_add_overflow(offset, more, &total) && total <= config.proto_max_bulk_len)
        return true;
    reply_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* store_new: a string where there is no key.  0 or -ENOMEM */
static int
store_new(struct db_ref *ref, struct slice bytes)
{
    struct value v;

    if (value_string(&v, bytes, ref->key.len) < 0)
        return -ENOMEM;
    if (db_store(ref, &v, RECORD_NO_EXPIRE) == 0)
        return 0;
    value_free(&v);
    return -ENOMEM;
}

void
cmd_append(struct client *c)
{
    struct db_ref ref;
    size_t len;
    int r;

    if (!string_find_key(c, 1, DB_WRITE, &ref))
        return;
    len = string_len(&ref);
    if (ref.rec == NULL) {
        r = store_new(&ref, c->argv[2]);
    } else {
        if (!length_is_good(c, len, c->argv[2].len))
            return;
        r = blob_write(&ref, len, c->argv[2]);
    }
    if (r < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STRING, "append", 1);
    reply_int(c, (int64_t)(len + c->argv[2].len));
}

void
cmd_setrange(struct client *c)
{
    struct slice bytes = c->argv[3];
    struct db_ref ref;
    int64_t offset;
    size_t len;

    if (!arg_int(c, 2, &offset))
        return;
    if (offset < 0) {
        reply_error(c, "ERR offset is out of range");
        return;
    }
    if (!string_find_key(c, 1, DB_WRITE, &ref))
        return;
    len = string_len(&ref);
    if (bytes.len == 0) {
        reply_int(c, (int64_t)len);
        return;
    }
    if (!length_is_good(c, (uint64_t)offset, bytes.len))
        return;
    if (blob_write(&ref, (size_t)offset, bytes) < 0) {
        reply_no_memory(c);
        return;
    }
    changed(c, c->argv[1], KEY_EVENT_STRING, "setrange", 1);
    reply_int(c, (int64_t)((size_t)offset + bytes.len > len ? (size_t)offset + bytes.len : len));
}

void
cmd_strlen(struct client *c)
{
    struct db_ref ref;

    if (string_find_key(c, 1, DB_READ, &ref))
        reply_int(c, (int64_t)string_len(&ref));
}

void
cmd_getrange(struct client *c)
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = {.ptr = "", .len = 0};
    int64_t start, end, len;
    struct db_ref ref;

    if (!arg_int(c, 2, &start) || !arg_int(c, 3, &end) || !string_find_key(c, 1, DB_READ, &ref))
        return;
    if (ref.rec != NULL)
        text = record_text(ref.rec, scratch);
    len = (int64_t)text.len;
    if (start < 0 && end < 0 && start > end)
        len = 0;
    start = start < 0 ? (start + len > 0 ? start + len : 0) : start;
    end = end < 0 ? (end + len > 0 ? end + len : 0) : end;
    end = end >= len ? len - 1 : end;
    if (len == 0 || start > end)
        reply_bulk(c, "", 0);
    else
        reply_bulk(c, text.ptr + start, (size_t)(end - start + 1));
}

void
cmd_substr(struct client *c)
{
    cmd_getrange(c); /* its older name */
}
