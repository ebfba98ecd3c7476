/* tests/support/lab_set.c - the digest of sets: the same in every form. */
#include "mm/base/num.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_impl.h"

int
lab_set_member(void *ctx, struct slice m)
{
    struct digest_state *s = ctx;

    s->value += lab_mix(11, m.ptr, m.len);
    return 0;
}

int
lab_set_intset(void *ctx, struct slice intset, uint32_t members)
{
    char text[NUM_MAX_BYTES];

    for (uint32_t i = 0; i < members; i++) {
        unsigned len = num_print(text, intset_get(slice_bytes(intset), i));

        lab_set_member(ctx, slice_of(text, len));
    }
    return 0;
}

int
lab_set_listpack(void *ctx, struct slice lp, uint32_t members)
{
    char scratch[LP_INT_TEXT_BYTES];

    (void)members;
    for (uint32_t at = lp_first(slice_bytes(lp)); at != 0; at = lp_next(slice_bytes(lp), at))
        lab_set_member(ctx, lp_slice(slice_bytes(lp), at, scratch));
    return 0;
}
