/* server/data/string/string_type.c - what the type table knows of strings. */
#include <errno.h>

#include "server/data/db/digest_value.h"
#include "server/data/db/save_value.h"
#include "server/data/db/value.h"
#include "server/data/string/string_type.h"
#include "snapshot/rdb/rdb.h"

static const char *
encoding_name(const struct value *v)
{
    enum { EMBSTR_MAX = 44 }; /* what Redis embeds in an object */

    if (v->enc == ENC_INT)
        return "int";
    return v->raw || v->blob.len > EMBSTR_MAX ? "raw" : "embstr";
}

static void
digest(const struct record *r, uint8_t d[DIGEST_BYTES])
{
    char scratch[NUM_MAX_BYTES];
    struct slice text = record_text(r, scratch);

    digest_stir(d, text.ptr, text.len);
}

static uint8_t
rdb_type(const struct record *r, int rdb_version)
{
    (void)r;
    (void)rdb_version;
    return RDB_TYPE_STRING;
}

static int
save(struct save_work *w, const struct save_item *s)
{
    if (record_encoding(s->rec) != ENC_INT)
        return save_blob(w, s, true);
    rdb_put_int_string(w->enc, record_int(s->rec));
    return 0;
}

const struct type_ops string_type = {.name = "string",
                                     .number = 0,
                                     .encoding_name = encoding_name,
                                     .digest = digest,
                                     .rdb_type = rdb_type,
                                     .save = save,
                                     .load = load_string};
