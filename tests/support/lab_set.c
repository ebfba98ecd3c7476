/* tests/support/lab_set.c - the digest of sets: the same in every form. */
#include "mm/base/num.h"
#include "snapshot/rdb/intset.h"
#include "snapshot/rdb/listpack.h"
#include "tests/support/lab_inner.h"

int
lab_set_member(void *ctx, struct rdb_slice m)
{
    struct digest_state *s = ctx;

    s->value += lab_mix(11, m.bytes, m.len);
    return 0;
}

int
lab_set_intset(void *ctx, struct rdb_slice intset, uint32_t members)
{
    char text[NUM_MAX_BYTES];

    for (uint32_t i = 0; i < members; i++) {
        unsigned len = num_print(text, intset_get(intset.bytes, i));

        lab_set_member(ctx, (struct rdb_slice){.bytes = (const uint8_t *)text, .len = len});
    }
    return 0;
}

int
lab_set_listpack(void *ctx, struct rdb_slice lp, uint32_t members)
{
    char scratch[LP_INT_TEXT_BYTES];

    (void)members;
    for (uint32_t at = lp_first(lp.bytes); at != 0; at = lp_next(lp.bytes, at)) {
        struct rdb_slice m;
        struct lp_elem e;
        uint32_t len;

        lp_get(lp.bytes, at, &e);
        m.bytes = lp_text(&e, scratch, &len);
        m.len = len;
        lab_set_member(ctx, m);
    }
    return 0;
}
