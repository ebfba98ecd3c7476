/* What Redis's blocks, tables and radix trees take; which keys and prefixes are kept. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool/memory/prefixes.h"
#include "tool/memory/radix.h"
#include "tool/memory/top.h"

static const struct memory_rules bundled = {.quantum = 8}, of_system = {.quantum = 16};

START_TEST(blocks_are_those_of_jemalloc)
{
    static const struct {
        uint64_t bytes, bundled, of_system;
    } blocks[] = {{0, 8, 8},
                  {1, 8, 8},
                  {9, 16, 16},
                  {17, 24, 32},
                  {24, 24, 32},
                  {40, 40, 48},
                  {57, 64, 64},
                  {65, 80, 80},
                  {113, 128, 128},
                  {129, 160, 160},
                  {161, 192, 192},
                  {257, 320, 320},
                  {536, 640, 640},
                  {4096, 4096, 4096},
                  {4097, 5120, 5120},
                  {16385, 20480, 20480},
                  {70009, 81920, 81920}};

    for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ck_assert_uint_eq(memory_block(&bundled, blocks[i].bytes), blocks[i].bundled);
        ck_assert_uint_eq(memory_block(&of_system, blocks[i].bytes), blocks[i].of_system);
    }
}
END_TEST

START_TEST(tables_are_powers_of_two)
{
    static const uint64_t slots[][2] = {{0, 4}, {1, 4},  {4, 4},      {5, 8},
                                        {8, 8}, {9, 16}, {1000, 1024}};

    for (unsigned i = 0; i < sizeof slots / sizeof *slots; i++)
        ck_assert_uint_eq(memory_slots(slots[i][0]), slots[i][1]);
}
END_TEST

/* radix_bytes: of the keys 0-at[0], 0-at[1] ... */
static uint64_t
radix_bytes(const uint64_t *at, unsigned count)
{
    struct memory_radix t = {0};

    for (unsigned i = 0; i < count; i++)
        memory_radix_add(&t, &bundled, (struct stream_id){0, at[i]});
    return memory_radix_end(&t, &bundled);
}

START_TEST(a_radix_tree_has_leaves_partings_and_stretches)
{
    enum { TREE = 24, ROOT = 8, LEAF = 16 };
    /* stretches: 16 bytes: 4 + 16 + 4 to a multiple of 8, a pointer; 15 the same; 14 likewise */
    enum { ALONE = 32, OF_15 = 32, OF_14 = 32, OF_1 = 16, TWO_WAYS = 8 + 16, THREE_WAYS = 8 + 24 };

    ck_assert_uint_eq(radix_bytes(NULL, 0), TREE + ROOT);
    ck_assert_uint_eq(radix_bytes((uint64_t[]){7}, 1), TREE + ALONE + LEAF);
    ck_assert_uint_eq(radix_bytes((uint64_t[]){7, 7}, 2), TREE + ALONE + LEAF);
    ck_assert_uint_eq(radix_bytes((uint64_t[]){7, 8}, 2), TREE + OF_15 + TWO_WAYS + 2 * LEAF);
    ck_assert_uint_eq(radix_bytes((uint64_t[]){7, 8, 9}, 3), TREE + OF_15 + THREE_WAYS + 3 * LEAF);
    /* 00 07 | 00 08 | 01 09: they part at the last byte but one, and two of them again */
    ck_assert_uint_eq(radix_bytes((uint64_t[]){7, 8, 0x109}, 3),
                      TREE + OF_14 + TWO_WAYS + TWO_WAYS + OF_1 + 3 * LEAF);
}
END_TEST

/* A key with facts. */
struct known {
    struct rdb_key key;
    struct key_facts facts;
    struct memory_key memory;
};

static const struct memory_key *
known(struct known *k, const char *name, uint64_t memory, uint64_t elements)
{
    k->key = (struct rdb_key){.name = slice_of(name, strlen(name)), .expire_at_ms = -1};
    k->facts = (struct key_facts){.key = &k->key, .elements = elements};
    k->memory = (struct memory_key){&k->facts, "raw", memory};
    return &k->memory;
}

START_TEST(top_keeps_the_largest_and_of_equal_ones_the_first)
{
    static const uint64_t elements[] = {5, 9, 1, 7, 9, 3, 7, 7};
    static const char *const want[] = {"1", "4", "3", "6"};
    struct memory_top t;
    struct known k;

    ck_assert_int_eq(memory_top_init(&t, MEMORY_BY_ELEMENTS, 4), 0);
    for (unsigned i = 0; i < 8; i++) {
        char name[2] = {(char)('0' + i), '\0'};

        ck_assert_int_eq(memory_top_add(&t, known(&k, name, 100, elements[i]), 0), 0);
    }
    memory_top_end(&t);
    ck_assert_uint_eq(t.count, 4);
    for (unsigned i = 0; i < 4; i++)
        ck_assert(slice_is(t.at[i].row.name, want[i]));
    memory_top_fini(&t);
}
END_TEST

START_TEST(keys_without_it_are_not_among_the_top)
{
    static const int64_t ttls[] = {5, -1, 9, -7, INT64_MAX, 9, INT64_MIN};
    static const char *const want[] = {"4", "2", "5", "0", "3", "6"};
    static const enum memory_measure uses[] = {MEMORY_BY_IDLE, MEMORY_BY_FREQ};
    struct memory_top t;
    struct known k;

    ck_assert_int_eq(memory_top_init(&t, MEMORY_BY_TTL, 10), 0);
    for (unsigned i = 0; i < 7; i++) {
        char name[2] = {(char)('0' + i), '\0'};

        (void)known(&k, name, 1, 1);
        k.key.expire_at_ms =
            ttls[i] > -1000 && ttls[i] < 1000 && ttls[i] != -1 ? ttls[i] * 1000 : ttls[i];
        ck_assert_int_eq(memory_top_add(&t, &k.memory, 0), 0);
    }
    memory_top_end(&t);
    ck_assert_uint_eq(t.count, 6);
    for (unsigned i = 0; i < 6; i++)
        ck_assert(slice_is(t.at[i].row.name, want[i]));
    memory_top_fini(&t);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(memory_top_init(&t, uses[i], 2), 0);
        for (int n = -1; n < 4; n++) {
            (void)known(&k, n < 0 ? "none" : "some", 1, 1);
            k.key.idle_s = n;
            k.key.freq = n;
            ck_assert_int_eq(memory_top_add(&t, &k.memory, 0), 0);
        }
        memory_top_end(&t);
        ck_assert_uint_eq(t.count, 2);
        ck_assert_int_eq(t.at[0].row.idle_s, 3);
        ck_assert_int_eq(t.at[1].row.freq, 2);
        memory_top_fini(&t);
    }
}
END_TEST

START_TEST(ttls_round_down_and_do_not_overflow)
{
    struct known k;

    (void)known(&k, "x", 1, 1);
    k.key.expire_at_ms = 10999;
    ck_assert_int_eq(memory_row_of(&k.memory, 1000).ttl_s, 9);
    k.key.expire_at_ms = 999;
    ck_assert_int_eq(memory_row_of(&k.memory, 1000).ttl_s, -1);
    k.key.expire_at_ms = INT64_MIN;
    ck_assert_int_lt(memory_row_of(&k.memory, 1000).ttl_s, -1000000000);
    k.key.expire_at_ms = INT64_MAX;
    ck_assert_int_gt(memory_row_of(&k.memory, -1000).ttl_s, 1000000000);
    k.key.expire_at_ms = -1;
    ck_assert(!memory_row_of(&k.memory, 1000).expires);
}
END_TEST

static const struct memory_prefix *
find(const struct memory_prefixes *p, const struct memory_prefix *of, const char *name)
{
    for (uint32_t i = 0; i < of->children; i++)
        if (slice_is(slice_of(memory_prefixes_child(p, of, i)->name,
                              memory_prefixes_child(p, of, i)->len),
                     name))
            return memory_prefixes_child(p, of, i);
    ck_abort_msg("no prefix %s", name);
}

START_TEST(folding_keeps_the_sums_above_and_the_large_ones)
{
    enum { MOST = 64, SMALL = 5000 };
    struct memory_prefixes p;
    const struct memory_prefix *root, *ids;
    uint64_t below = 0;
    struct known k;
    char name[32];

    ck_assert_int_eq(memory_prefixes_init(&p, SLICE(":"), 3, MOST), 0);
    for (unsigned i = 0; i < SMALL; i++) {
        snprintf(name, sizeof name, "id:%u:x", i);
        ck_assert_int_eq(memory_prefixes_add(&p, known(&k, name, 50, 1)), 0);
        ck_assert_int_eq(memory_prefixes_add(&p, known(&k, "large:a:b:c:d", 5000, 1)), 0);
        ck_assert_uint_le(p.count, MOST);
    }
    memory_prefixes_end(&p);
    root = &p.at[0];
    ck_assert_uint_eq(root->sums.memory, SMALL * 5050);
    ck_assert_uint_eq(root->children, 2);
    ids = find(&p, root, "id:");
    ck_assert_uint_eq(ids->sums.keys, SMALL);
    ck_assert_uint_eq(ids->folded + ids->children, SMALL);
    for (uint32_t i = 0; i < ids->children; i++)
        below += memory_prefixes_child(&p, ids, i)->sums.memory;
    ck_assert_uint_eq(below + ids->folded_memory, SMALL * 50);
    ck_assert_uint_ge(memory_prefixes_child(&p, ids, 0)->missed_most, 50);
    root = find(&p, root, "large:");
    root = find(&p, root, "large:a:");
    root = find(&p, root, "large:a:b:");
    ck_assert_uint_eq(root->sums.keys, SMALL);
    ck_assert_uint_eq(root->missed_most, 0);
    ck_assert_uint_eq(root->children, 0);
    memory_prefixes_fini(&p);
}
END_TEST

START_TEST(names_with_odd_bytes_and_ends)
{
    struct memory_prefixes p;
    struct known k;
    char longest[400];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 2] = ':';
    longest[sizeof longest - 1] = '\0';
    ck_assert_int_eq(memory_prefixes_init(&p, SLICE("::"), 2, 64), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, "", 1, 1)), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, ":", 1, 1)), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, "::", 1, 1)), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, ":::", 1, 1)), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, "\xff::\xfe::", 1, 1)), 0);
    ck_assert_int_eq(memory_prefixes_add(&p, known(&k, longest, 1, 1)), 0);
    memory_prefixes_end(&p);
    ck_assert_uint_eq(p.at[0].sums.keys, 6);
    ck_assert_uint_eq(p.at[0].children, 2);
    ck_assert_uint_eq(find(&p, &p.at[0], "::")->sums.keys, 2);
    ck_assert_uint_eq(find(&p, find(&p, &p.at[0], "\xff::"), "\xff::\xfe::")->sums.keys, 1);
    memory_prefixes_fini(&p);
}
END_TEST

START_TEST(samples_are_scaled)
{
    ck_assert_uint_eq(memory_scaled(10, 1), 10);
    ck_assert_uint_eq(memory_scaled(10, 0.1), 100);
    ck_assert_uint_eq(memory_error(1e6, 1), 0);
    /* 100 keys of 100 bytes, a tenth of all: sqrt(0.9 * 1e6) / 0.1 * 1.96 */
    ck_assert_uint_eq(memory_error(1e6, 0.1), 18594);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    SRunner *r;
    int failed;

    suite_add_tcase(s, t);
    tcase_add_test(t, blocks_are_those_of_jemalloc);
    tcase_add_test(t, tables_are_powers_of_two);
    tcase_add_test(t, a_radix_tree_has_leaves_partings_and_stretches);
    tcase_add_test(t, top_keeps_the_largest_and_of_equal_ones_the_first);
    tcase_add_test(t, keys_without_it_are_not_among_the_top);
    tcase_add_test(t, ttls_round_down_and_do_not_overflow);
    tcase_add_test(t, folding_keeps_the_sums_above_and_the_large_ones);
    tcase_add_test(t, names_with_odd_bytes_and_ends);
    tcase_add_test(t, samples_are_scaled);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
