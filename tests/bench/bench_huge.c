/* tests/bench/bench_huge.c - how long the loop's turns are while a huge key goes, without sockets.
 *
 *   bench_huge [elements [rounds [limit-us]]]     status 1 if the best round has a turn above the limit
 *
 * Of each type that there is a key is built and then deleted, left to expire, overwritten or flushed.
 * Measured are the command and each turn's db_work() and mm_tidy() with the loop's budgets, as the thread's
 * CPU time: what the machine does meanwhile is not in it, but for page faults and interrupts.  The best of
 * some rounds, beside turns that only calculate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/mm.h"
#include "server/commands/cmd.h"
#include "server/server.h"
#include "tests/support/talk.h"

enum { SLICE_US = 500, EACH = 64, WORD_BYTES = 32 };

struct kind {
    const char *name, *command;
    int words; /* of one element */
    bool one;  /* a command adds one element */
};

static const struct kind kinds[] = {
    {"hash", "HSET", 2, false}, {"list", "RPUSH", 1, false}, {"set", "SADD", 1, false},
    {"zset", "ZADD", 2, false}, {"stream", "XADD", 3, true},
};

struct turns {
    double longest_us, sum_us;
    unsigned long count, above_1ms;
};

static double limit_us = 1e12;
static int above_limit;

static double
thread_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
note(struct turns *t, double us)
{
    t->longest_us = us > t->longest_us ? us : t->longest_us;
    t->above_1ms += us > 1000;
    t->sum_us += us;
    t->count++;
}

/* put_element: its words, from argv[at] on. */
static int
put_element(const struct kind *k, unsigned long i, struct slice *argv, char (*text)[WORD_BYTES], int at)
{
    const char *formats[][3] = {
        {"member:%010lu", "%lu", ""}, {"%lu", "member:%010lu", ""}, {"%lu-1", "field", "v%lu"}};
    int form = k->words == 3 ? 2 : strcmp(k->name, "zset") == 0 ? 1 : 0;

    for (int w = 0; w < k->words; w++, at++) {
        int len = snprintf(text[at], WORD_BYTES, formats[form][w], i + 1);

        argv[at] = (struct slice){.ptr = text[at], .len = (size_t)len};
    }
    return at;
}

static void
build(const struct kind *k, unsigned long elements)
{
    struct slice argv[2 + 3 * EACH];
    char text[2 + 3 * EACH][WORD_BYTES];
    unsigned long i = 0;

    argv[0] = (struct slice){.ptr = k->command, .len = strlen(k->command)};
    argv[1] = SLICE("victim");
    while (i < elements) {
        int argc = 2;

        for (int n = 0; n < (k->one ? 1 : EACH) && i < elements; n++, i++)
            argc = put_element(k, i, argv, text, argc);
        must(talk_words(argc, argv)[0] != '-');
    }
}

/* go: the key goes this way; every turn that it takes. */
static struct turns
go(const char *way)
{
    struct turns t = {.longest_us = 0};
    double begin;
    bool dead = true, untidy = true;

    if (strcmp(way, "expire") == 0) {
        must(talk("PEXPIRE victim 10")[1] == '1');
        talk_pass_ms(20);
        way = "EXISTS victim";
    }
    begin = thread_us();
    must(talk("%s", way)[0] != '-');
    note(&t, thread_us() - begin);
    while (dead || untidy) { /* as run_background() of server/loop.c */
        begin = thread_us();
        dead = dead && db_work(dead && untidy ? SLICE_US / 2 : SLICE_US);
        untidy = mm_tidy(SLICE_US / 2);
        note(&t, thread_us() - begin);
    }
    must(talk("DEL victim") != NULL);
    return t;
}

static void
bench(const struct kind *k, unsigned long elements, int rounds)
{
    static const char *const ways[] = {"DEL victim", "expire", "SET victim x", "FLUSHALL"};

    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        struct turns best = {.longest_us = 1e12};

        for (int r = 0; r < rounds && (r == 0 || limit_us >= 1e12 || best.longest_us > limit_us); r++) {
            struct turns t;

            build(k, elements);
            t = go(ways[w]);
            if (t.longest_us < best.longest_us)
                best = t;
        }
        printf("| %s | %s | %lu | %.0f | %.0f | %lu | %.0f |\n", k->name, ways[w], best.count,
               best.sum_us / (double)best.count, best.longest_us, best.above_1ms, best.sum_us / 1000);
        fflush(stdout);
        above_limit += best.longest_us > limit_us;
    }
}

/* calculating: turns of the same length without any memory. */
static void
calculating(unsigned long count)
{
    struct turns t = {.longest_us = 0};
    volatile uint64_t sink = 1;

    for (unsigned long i = 0; i < count; i++) {
        double begin = thread_us();

        while (thread_us() < begin + SLICE_US)
            sink = (sink ^ sink >> 29) * 0xbf58476d1ce4e5b9u;
        note(&t, thread_us() - begin);
    }
    printf("| - | calculating | %lu | %.0f | %.0f | %lu | %.0f |\n", t.count, t.sum_us / (double)t.count,
           t.longest_us, t.above_1ms, t.sum_us / 1000);
}

int
main(int argc, char *argv[])
{
    unsigned long elements = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 3;

    if (argc > 3)
        limit_us = atof(argv[3]);
    talk_open();
    talk("CONFIG SET latency-tracking no");
    printf("| %lu elements | goes by | turns | mean us | longest us | above 1 ms | all ms "
           "|\n|---|---|---|---|---|---|---|\n",
           elements);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (cmd_find((struct slice){.ptr = kinds[i].command, .len = strlen(kinds[i].command)}) != NULL)
            bench(&kinds[i], elements, rounds);
    calculating(2000);
    talk_close();
    return above_limit > 0;
}
