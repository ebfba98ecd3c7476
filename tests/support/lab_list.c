/* tests/support/lab_list.c - lists: the order of elements counts, how they are cut into nodes does
 * not. */
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_impl.h"

int
lab_list_begin(void *ctx)
{
    struct digest_state *s = ctx;

    s->value = 11;
    return 0;
}

int
lab_list_element(void *ctx, struct slice element)
{
    struct digest_state *s = ctx;

    s->value = lab_mix(lab_mix_int(s->value * 31, element.len), element.ptr, element.len);
    return 0;
}

int
lab_list_listpack(void *ctx, struct slice listpack, uint32_t elements)
{
    char scratch[LP_INT_TEXT_BYTES];
    const uint8_t *lp = slice_bytes(listpack);
    uint32_t at = lp_first(lp);

    for (uint32_t i = 0; i < elements; i++, at = lp_next(lp, at))
        lab_list_element(ctx, lp_slice(lp, at, scratch));
    return 0;
}
