/* tool/convert/head.c - AUX fields and function libraries. */
#include "tool/convert/head.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/base/printable.h"
#include "tool/convert/convert_impl.h"

/* is_of_whole: is the field about the whole file, and right of nothing less? */
static bool
is_of_whole(struct slice key)
{
    return slice_is(key, "used-mem") || slice_is(key, "aof-preamble") || slice_is(key, "aof-base");
}

/* put_all: a field or library, where it belongs: to the head of those files that are to come, and
 * to those that are there. */
static void
put_all(struct convert *c, void (*put)(struct convert *c, struct slice a, struct slice b),
        struct slice a, struct slice b)
{
    c->enc.compress = c->plan->compress == COMPRESS_LZF;
    c->enc.out = &c->output.head.sink;
    put(c, a, b);
    for (unsigned i = 0; i < c->output.count; i++) {
        if (!c->output.parts[i]->is_open)
            continue;
        c->enc.out = &c->output.parts[i]->writer.sink;
        put(c, a, b);
    }
}

static void
put_aux(struct convert *c, struct slice key, struct slice value)
{
    rdb_put_byte(&c->enc, RDB_OP_AUX);
    rdb_put_string(&c->enc, key.ptr, key.len);
    rdb_put_string(&c->enc, value.ptr, value.len);
}

int
head_aux(void *ctx, struct slice key, struct slice value)
{
    struct convert *c = ctx;
    const struct rdb_aux *aux = rdb_aux_of(key);

    if (c->files > 1 && !c->head_only)
        return 0; /* it was taken in a pass before */
    if (aux->fate == RDB_AUX_ANEW && (c->heads_read > 0 || (is_of_whole(key) && !c->is_whole)))
        return 0;
    if (aux->fate == RDB_AUX_DROPPED || c->version < TARGET_AUX_FROM) {
        c->losses[LOSS_AUX]++;
        return 0;
    }
    put_all(c, put_aux, key, value);
    return 0;
}

/* has_library: the same name was there.  0: no; 1: with the same code, or it does not count;
 * else the end of it all. */
static int
has_library(struct convert *c, struct slice name, struct slice code_text)
{
    struct field_mark mark = field_mark_of(&c->merge.marks, 1, name.ptr, name.len);
    struct field_mark code = field_mark_of(&c->merge.marks, 0, code_text.ptr, code_text.len);
    struct library *l;
    char shown[64];

    if (name.len == 0)
        return 0;
    for (unsigned i = 0; i < c->library_count; i++) {
        l = &c->libraries[i];
        if (l->name.low != mark.low || l->name.high != mark.high)
            continue;
        if (c->plan->rule != MERGE_REFUSE || (l->code.low == code.low && l->code.high == code.high))
            return 1;
        printable(shown, sizeof shown, name.ptr, name.len);
        return recode_fail(c, "another function library \"%s\" is in another file (--on-conflict)",
                           shown);
    }
    if ((l = realloc(c->libraries, (c->library_count + 1) * sizeof *l)) == NULL)
        return -ENOMEM;
    c->libraries = l;
    l[c->library_count++] = (struct library){mark, code};
    return 0;
}

static void
put_function(struct convert *c, struct slice code, struct slice ignored)
{
    (void)ignored;
    rdb_put_byte(&c->enc, RDB_OP_FUNCTION2);
    rdb_put_blob(&c->enc, code.ptr, code.len);
}

int
head_function(void *ctx, struct slice code)
{
    struct convert *c = ctx;
    struct slice name = rdb_library_name(code);
    char shown[64];
    int r;

    if (c->files > 1 && !c->head_only && !c->is_past_head)
        return 0; /* it was taken in a pass before */
    if (c->version < RDB_FUNCTIONS_FROM_VERSION) {
        printable(shown, sizeof shown, name.ptr, name.len);
        return recode_lose(c, LOSS_FUNCTION, "the function library \"%s\"", shown);
    }
    r = has_library(c, name, code);
    if (r == 0)
        put_all(c, put_function, code, code);
    return r == 1 ? 0 : r;
}
