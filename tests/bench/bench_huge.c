/* tests/bench/bench_huge.c - how long the loop's turns are while a huge key goes, without sockets.
 *
 *   bench_huge [elements [rounds [limit-us]]]
 *
 * Status 1 if the best round has a turn above the limit, to which is added what turns that only
 * calculate are too long on this machine now.
 *
 * Of each type that there is a key is built and then deleted, left to expire, overwritten, flushed,
 * or trimmed. Measured are the command and each turn's db_work() and mm_tidy() with the loop's
 * budgets, as the thread's CPU time: what the machine does meanwhile is not in it, but for page
 * faults and interrupts.  The best of some rounds, beside turns that only calculate, and beside
 * what the system takes to get touched memory back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "mm/mm.h"
#include "server/exec/cmd.h"
#include "tests/support/talk.h"

enum { SLICE_US = 500, TICK_US = 100000, EACH = 64, WORD_BYTES = 32 };

struct kind {
    const char *name, *command;
    int words;        /* of one element */
    bool one;         /* a command adds one element */
    const char *trim; /* leaves a few elements; NULL: no such command */
};

static const struct kind kinds[] = {
    {"hash", "HSET", 2, false, NULL},
    {"list", "RPUSH", 1, false, "LTRIM victim 0 9"},
    {"set", "SADD", 1, false, NULL},
    {"zset", "ZADD", 2, false, NULL},
    {"stream", "XADD", 3, true, "XTRIM victim MAXLEN 10"},
};

struct turns {
    double longest_us, sum_us;
    unsigned long count, above_1ms;
    unsigned long longest_at; /* the longest turn's number; 0: the command itself */
    long longest_faults;      /* page faults in it */
};

/* When a turn began, and how many page faults there had been. */
struct turn {
    double us;
    long faults;
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

static struct turn
begin_turn(void)
{
    struct rusage u;

    must(getrusage(RUSAGE_THREAD, &u) == 0);
    return (struct turn){.faults = u.ru_minflt + u.ru_majflt, .us = thread_us()};
}

static void
note(struct turns *t, const struct turn *begin)
{
    double us = thread_us() - begin->us;

    if (us > t->longest_us) {
        t->longest_us = us;
        t->longest_at = t->count;
        t->longest_faults = begin_turn().faults - begin->faults;
    }
    t->above_1ms += us > 1000;
    t->sum_us += us;
    t->count++;
}

static void
print_row(const char *what, const char *way, const struct turns *t)
{
    printf("| %s | %s | %lu | %.0f | %.0f | %lu | %ld | %lu | %.0f |\n", what, way, t->count,
           t->sum_us / (double)t->count, t->longest_us, t->longest_at, t->longest_faults,
           t->above_1ms, t->sum_us / 1000);
    fflush(stdout);
}

/* put_element: its words, from argv[at] on. */
static int
put_element(const struct kind *k, unsigned long i, struct slice *argv, char (*text)[WORD_BYTES],
            int at)
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
    struct turn begin;
    double next_tick_us = 0;
    bool dead = false, looks;
    enum mm_tidy tidy = MM_TIDY_DONE;

    if (strcmp(way, "expire") == 0) {
        must(talk("PEXPIRE victim 10")[1] == '1');
        talk_pass_ms(20);
        way = "EXISTS victim";
    }
    begin = begin_turn();
    must(talk("%s", way)[0] != '-');
    note(&t, &begin);
    /* as run_tasks() of server/net/loop.c for server/cron.c, which looks for work ten times a
     * second */
    do {
        unsigned slice_us;

        looks = thread_us() >= next_tick_us || (!dead && tidy == MM_TIDY_DONE);
        if (looks) {
            dead = true;
            tidy = MM_TIDY_MORE;
            next_tick_us = thread_us() + TICK_US;
        }
        if (!dead && tidy == MM_TIDY_WAITS)
            (void)usleep(1000);
        slice_us = dead && tidy == MM_TIDY_MORE ? SLICE_US / 2 : SLICE_US;
        begin = begin_turn();
        dead = dead && db_work(slice_us);
        if (tidy != MM_TIDY_DONE)
            tidy = mm_tidy(slice_us);
        note(&t, &begin);
    } while (!looks || dead || tidy != MM_TIDY_DONE);
    must(talk("DEL victim") != NULL);
    return t;
}

static void
bench(const struct kind *k, unsigned long elements, int rounds)
{
    const char *const ways[] = {"DEL victim", "expire", "SET victim x", "FLUSHALL", k->trim};

    for (size_t w = 0; w < sizeof ways / sizeof ways[0] && ways[w] != NULL; w++) {
        struct turns best = {.longest_us = 1e12};

        for (int r = 0; r < rounds && (r == 0 || limit_us >= 1e12 || best.longest_us > limit_us);
             r++) {
            struct turns t;

            build(k, elements);
            t = go(ways[w]);
            if (t.longest_us < best.longest_us)
                best = t;
        }
        print_row(k->name, ways[w], &best);
        above_limit += best.longest_us > limit_us;
    }
}

static int
compare_us(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* calculating: turns of the same length without any memory.  By how much the longest of as many
 * turns as a key takes is usually too long: that much is the machine's. */
static double
calculating(void)
{
    enum { BATCHES = 40, BATCH = 50 };
    struct turns t = {.longest_us = 0};
    double longest_us[BATCHES];
    volatile uint64_t sink = 1;

    for (int i = 0; i < BATCHES; i++) {
        longest_us[i] = 0;
        for (int n = 0; n < BATCH; n++) {
            struct turn begin = begin_turn();
            double us;

            while ((us = thread_us() - begin.us) < SLICE_US)
                sink = (sink ^ sink >> 29) * 0xbf58476d1ce4e5b9u;
            note(&t, &begin);
            if (us > longest_us[i])
                longest_us[i] = us;
        }
    }
    print_row("-", "calculating", &t);
    qsort(longest_us, BATCHES, sizeof longest_us[0], compare_us);
    return longest_us[BATCHES / 2] - SLICE_US;
}

/* giving_back: what the system alone takes to get memory back, which is what mm_tidy() asks of it:
 * so many MiB are touched, and go 2 MiB at a time. */
static void
giving_back(size_t mib)
{
    enum { PIECE = 2 << 20 };
    char *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct turns t = {.longest_us = 0};
    char name[64];

    must(p != MAP_FAILED);
    for (size_t at = 0; at < mib << 20; at += 4096)
        p[at] = 1;
    for (size_t at = 0; at < mib << 20; at += PIECE) {
        struct turn begin = begin_turn();

        must(madvise(p + at, PIECE, MADV_DONTNEED) == 0);
        note(&t, &begin);
    }
    must(munmap(p, mib << 20) == 0);
    snprintf(name, sizeof name, "madvise() of %zu MiB", mib);
    print_row("-", name, &t);
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
    printf(
        "| %lu elements | goes by | turns | mean us | longest us | it was turn | its faults | above 1 ms "
        "| all "
        "ms |\n|---|---|---|---|---|---|---|---|---|\n",
        elements);
    limit_us += calculating();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (cmd_find((struct slice){.ptr = kinds[i].command, .len = strlen(kinds[i].command)}) !=
            NULL)
            bench(&kinds[i], elements, rounds);
    giving_back(128);
    giving_back(512);
    talk_close();
    return above_limit > 0;
}
