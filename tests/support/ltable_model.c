/* tests/support/ltable_model.c - see ltable_model.h. */
#include "tests/support/ltable_model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/base/keyhash.h"
#include "mm/mm.h"

static uint64_t seed;

uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* hash_of: not inlined, or the compiler thinks that it sees XXH3 read beyond a short key. */
__attribute__((noinline)) uint64_t
hash_of(struct slice key)
{
    return keyhash(key);
}

void
model_setup(void)
{
    const char *given = getenv("TEST_SEED");

    ck_assert_int_eq(mm_init(&(struct mm_options){.arena_bytes = (size_t)4 << 30}), 0);
    keyhash_init();
    seed = given != NULL ? strtoull(given, NULL, 10)
                         : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15ULL | 1;
    printf("seed %llu\n", (unsigned long long)seed);
}

void
model_teardown(void)
{
    mm_fini();
}

struct slice
name_of(unsigned n, char buf[16])
{
    return (struct slice){.ptr = buf, .len = (size_t)snprintf(buf, 16, "k%u", n)};
}

bool
model_add(struct model *m, unsigned n)
{
    struct record_spec spec = {.expire_at_ms = RECORD_NO_EXPIRE,
                               .value = {.type = TYPE_STRING, .enc = ENC_INT}};
    const struct record *r;
    char buf[16];

    spec.key = name_of(n, buf);
    expect((r = record_new(&spec)) != NULL);
    if (!ktable_add(&m->table, hash_of(spec.key), r)) {
        record_free(r);
        return false;
    }
    m->at[n] = r;
    m->count++;
    return true;
}

void
model_drop(struct model *m, unsigned n)
{
    uint64_t hash = hash_of(record_key(m->at[n]));
    struct ktable_ref ref;

    ktable_find_record(&m->table, hash, m->at[n], &ref);
    expect(ref.bucket != NULL);
    ktable_drop(&m->table, hash, ref);
    record_free(m->at[n]);
    m->at[n] = NULL;
    m->count--;
}

struct model
model_new(unsigned size)
{
    struct model m = {.size = size, .at = calloc(size, sizeof *m.at)};

    ck_assert_ptr_nonnull(m.at);
    return m;
}

void
model_check(const struct model *m)
{
    ktable_verify(&m->table);
    ck_assert_uint_eq(m->table.count, m->count);
    for (unsigned n = 0; n < m->size; n++) {
        struct ktable_ref ref;
        char buf[16];
        struct slice key = name_of(n, buf);

        expect(ktable_find_key(&m->table, hash_of(key), key, &ref) == m->at[n]);
    }
}

void
count_visits(void *ctx, const void *record)
{
    (void)record;
    ++*(unsigned *)ctx;
}

void
model_free(struct model *m)
{
    uint64_t next = 0;
    unsigned seen = 0;

    while (!ktable_empty(&m->table, &next, 100, count_visits, &seen))
        ;
    ck_assert_uint_eq(seen, m->count);
    ck_assert_uint_eq(m->table.buckets, 0);
    ck_assert_uint_eq(ktable_bytes(), 0);
    free(m->at);
}

unsigned
number_of(const struct record *r)
{
    char text[16] = {0};
    struct slice key = record_key(r);

    memcpy(text, key.ptr, key.len);
    return (unsigned)strtoul(text + 1, NULL, 10);
}

void
note_seen(void *ctx, const void *record)
{
    unsigned *times = ctx;

    times[number_of(record)]++;
}
