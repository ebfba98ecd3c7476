/* server/data/db/value.c - values apart from records. */
#include "server/data/db/value.h"

#include <errno.h>

#include "server/data/db/blob.h"
#include "server/data/db/db.h"
#include "server/data/db/type.h"

struct value
value_of(const struct record *r)
{
    struct record_spec spec;

    record_spec_of(r, &spec);
    return spec.value;
}

int
value_blob(struct value *ret, enum value_type type, struct slice bytes, size_t key_len)
{
    char *block;

    if (record_can_inline(key_len, bytes.len)) {
        *ret = (struct value){.type = type, .enc = ENC_INLINE, .blob = bytes};
        return 0;
    }
    if ((block = blob_alloc(bytes.len)) == NULL)
        return -ENOMEM;
    memcpy(block, bytes.ptr, bytes.len);
    *ret = (struct value){.type = type, .enc = ENC_OUTER, .blob = {.ptr = block, .len = bytes.len}};
    return 0;
}

int
value_string(struct value *ret, struct slice bytes, size_t key_len)
{
    int64_t n;

    if (bytes.len <= NUM_MAX_BYTES && num_parse(bytes.ptr, bytes.len, &n)) {
        *ret = (struct value){.type = TYPE_STRING, .enc = ENC_INT, .integer = n};
        return 0;
    }
    return value_blob(ret, TYPE_STRING, bytes, key_len);
}

int
value_copy(struct value *ret, const struct value *v, size_t key_len)
{
    struct value copy = *v;

    switch (v->enc) {
    case ENC_INT:
        break;
    case ENC_INLINE:
    case ENC_OUTER:
        if (value_blob(&copy, v->type, v->blob, key_len) < 0)
            return -ENOMEM;
        copy.raw = v->raw;
        copy.intset = v->intset;
        break;
    case ENC_ROOT:
        if ((copy.root = type_of(v->type)->copy(v->root)) == NULL)
            return -ENOMEM;
        break;
    case ENC_COUNT:
        never("an encoding");
    }
    *ret = copy;
    return 0;
}

void
value_free(const struct value *v)
{
    if (v->enc == ENC_OUTER)
        mm_free(v->blob.ptr);
    else if (v->enc == ENC_ROOT)
        db_bury(v->type, v->root);
}

bool
value_same_block(const struct value *a, const struct value *b)
{
    debug_check(a->enc == ENC_OUTER || a->enc == ENC_ROOT);
    return a->enc == b->enc &&
           (a->enc == ENC_OUTER ? a->blob.ptr == b->blob.ptr : a->root == b->root);
}

const char *
value_encoding_name(const struct value *v)
{
    return type_of(v->type)->encoding_name(v);
}

const char *
value_type_name(enum value_type type)
{
    return type_of(type)->name;
}
