/* tests/support/ltable_model.h - a table of records beside a model: element n is there, or is not.
 * Random numbers come from a seed that is printed; TEST_SEED gives it. */
#ifndef TESTS_SUPPORT_LTABLE_MODEL_H
#define TESTS_SUPPORT_LTABLE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/data/db/ktable.h"

/* expect: ck_assert() for loops: that one writes to a pipe each time. */
#define expect(x)                                                                                  \
    do {                                                                                           \
        if (!(x))                                                                                  \
            ck_abort_msg("%s", #x);                                                                \
    } while (0)

struct model {
    struct ktable table;
    const struct record **at;
    unsigned size, count;
};

/* model_setup, model_teardown: the fixture: an arena, the seed. */
void model_setup(void);
void model_teardown(void);
uint64_t next_random(void);
/* hash_of, name_of: of a key; of element n, in buf. */
uint64_t hash_of(struct slice key);
struct slice name_of(unsigned n, char buf[16]);
/* number_of: which element a record is. */
unsigned number_of(const struct record *r);

struct model model_new(unsigned size);
/* model_add: false: the table has refused it. */
bool model_add(struct model *m, unsigned n);
void model_drop(struct model *m, unsigned n);
/* model_check: table and model are the same, and the table's rules hold. */
void model_check(const struct model *m);
/* model_free: in steps, with its memory accounted for. */
void model_free(struct model *m);

/* Visitors: count_visits: ctx points to an unsigned; note_seen: to an unsigned for each element. */
void count_visits(void *ctx, const void *record);
void note_seen(void *ctx, const void *record);

#endif
