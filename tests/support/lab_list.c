/* tests/support/lab_list.c - lists: the order of elements counts, how they are cut into nodes does
 * not. */
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_inner.h"

int
lab_list_begin(void *ctx)
{
    struct digest_state *s = ctx;

    s->value = 11;
    return 0;
}

int
lab_list_element(void *ctx, struct rdb_slice element)
{
    struct digest_state *s = ctx;

    s->value = lab_mix(lab_mix_int(s->value * 31, element.len), element.bytes, element.len);
    return 0;
}

int
lab_list_listpack(void *ctx, struct rdb_slice listpack, uint32_t elements)
{
    char scratch[LP_INT_TEXT_BYTES];
    uint32_t at = lp_first(listpack.bytes);

    for (uint32_t i = 0; i < elements; i++, at = lp_next(listpack.bytes, at)) {
        struct rdb_slice text;
        struct lp_elem e;
        uint32_t len;

        lp_get(listpack.bytes, at, &e);
        text.bytes = lp_text(&e, scratch, &len);
        text.len = len;
        lab_list_element(ctx, text);
    }
    return 0;
}
