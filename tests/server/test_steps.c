/* tests/server/test_steps.c - the step scheduler: each kind of write, at every point of the sweep.
 *
 * Sweep and write are two coroutines on one thread, or three, where two sweepers share the sweep
 * (S4); they may change hands at each STEP() of mm/, snapshot/ and the view.  All schedules are
 * tried that change hands at most k times, for k = 1, 2, 3, ... until all there are have been tried
 * or the budget is used up (context-bounded exploration: Musuvathi and Qadeer, PLDI 2007); each run
 * prints how far it came.  Pages have 16 KiB here, so that a slab is four pages and a heap a
 * handful.
 *
 *   STEP_BUDGET=n   schedules a scenario (default 2000; make check-hard takes 6000) */
#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "mm/base/fault.h"
#include "mm/base/step.h"
#include "mm/page.h"
#include "tests/support/lab.h"
#include "tests/support/runner.h"
#include "tests/support/scenarios.h"

enum { STACK_BYTES = 1 << 20, DECISIONS_MAX = 100000 };

struct coroutine {
    ucontext_t context;
    char *stack;
    bool done;
};

enum { SWEEPERS = 2, WRITE = SWEEPERS, COROUTINES };

static struct coroutine coroutines[COROUTINES], *running;
static unsigned sweepers; /* of this run: the first ones */
static ucontext_t scheduler;

/* The schedule: at each point 0 = go on, k = the k-th of the others goes on.  Points beyond `known`
 * go on. */
static unsigned char decision[DECISIONS_MAX], choices[DECISIONS_MAX];
static unsigned known, reached, bound;

static bool
is_alive(const struct coroutine *c)
{
    return !c->done && (c == &coroutines[WRITE] || c < coroutines + sweepers);
}

/* other: the k-th of those that are alive, from the one after this on; NULL: there are not so
 * many. */
static struct coroutine *
other(const struct coroutine *c, unsigned k)
{
    for (unsigned i = 1; i < COROUTINES; i++) {
        struct coroutine *o = &coroutines[(unsigned)(c - coroutines + i) % COROUTINES];

        if (is_alive(o) && --k == 0)
            return o;
    }
    return NULL;
}

static void
change_hands(unsigned k)
{
    struct coroutine *from = running;

    running = other(from, k);
    must(running != NULL);
    swapcontext(&from->context, &running->context);
}

static void
at_step(const char *name)
{
    (void)name;
    if (running == NULL || other(running, 1) == NULL)
        return;
    must(reached < DECISIONS_MAX);
    if (reached == known)
        decision[known++] = 0;
    choices[reached] = other(running, 2) == NULL ? 1 : 2;
    if (decision[reached++] != 0)
        change_hands(decision[reached - 1]);
}

/* next_schedule: the next in depth-first order with at most `bound` changes; false: there is
 * none. */
static bool
next_schedule(void)
{
    unsigned used = 0;

    for (unsigned i = 0; i < known; i++)
        used += decision[i] != 0;
    while (known > 0) {
        known--;
        used -= decision[known] != 0;
        if (decision[known] < choices[known] && used < bound) {
            decision[known++]++;
            return true;
        }
    }
    return false;
}

/* ---- one run ---- */

enum mode { PLAIN, NO_MEMORY, LIMIT, CANCEL, TWO, TWO_CANCEL };

static struct {
    const struct scenario *scenario;
    enum mode mode;
    struct lab_digest got;
    struct lab_digest part[SWEEPERS];
    _Atomic bool cancel;
    unsigned quiescent[SWEEPERS]; /* how often each was quiescent */
} run;

static void
between_blocks(void *ctx)
{
    ++*(unsigned *)ctx;
    at_step("sweep: quiescent");
}

static void
finish(struct coroutine *c)
{
    c->done = true;
    running = other(c, 1);
    if (running == NULL)
        setcontext(&scheduler);
    setcontext(&running->context);
}

static void
sweep_body(void)
{
    run.got = lab_sweep_with(&run.cancel, between_blocks, &run.quiescent[0]);
    finish(&coroutines[0]);
}

static void
sweep_part(unsigned i)
{
    run.part[i] = lab_sweep_part(&run.cancel, between_blocks, &run.quiescent[i]);
    finish(&coroutines[i]);
}

static void
first_part_body(void)
{
    sweep_part(0);
}

static void
second_part_body(void)
{
    sweep_part(1);
}

/* wait_for_grace: a grace period that began after the flag: each sweeper was quiescent once more,
 * or has ended (C1). */
static void
wait_for_grace(void)
{
    for (unsigned i = 0; i < sweepers; i++) {
        unsigned seen = run.quiescent[i];

        while (!coroutines[i].done && run.quiescent[i] == seen)
            change_hands(1 + (other(running, 1) != &coroutines[i]));
    }
}

/* The runs are alike: the copy of a page that the last one left would stand for one that is yet to
 * be made. */
static uint32_t used_images;

static void
note_images(void)
{
    uint32_t bump = page_state.bump;

    if (bump > used_images)
        used_images = bump;
}

static void
spoil_images(void)
{
    if (used_images > 1)
        memset(page_state.images + MM_PAGE_BYTES, 0xa5, (size_t)(used_images - 1) << MM_PAGE_SHIFT);
    used_images = 0;
}

static void
write_body(void)
{
    if (run.mode == NO_MEMORY)
        fault_arm(FAULT_mm_image, 1, true);
    if (run.mode == LIMIT)
        pages_limit(1);
    at_step("write: begin");
    lab_run(run.scenario->write);
    if (run.mode == CANCEL || run.mode == TWO_CANCEL) {
        atomic_store(&run.cancel, true);
        at_step("cancel: flag set");
        wait_for_grace();
        note_images();
        lab_end();
        lab_run(
            /* what the sweep may have been about to read is gone */
            "flushall;set x @5000*x;set y @100*y");
        lab_cut();
        lab_run("set x @5000*z");
    }
    finish(&coroutines[WRITE]);
}

static void
co_init(struct coroutine *c, void (*body)(void))
{
    if (c->stack == NULL)
        c->stack = malloc(STACK_BYTES);
    c->done = false;
    must(getcontext(&c->context) == 0);
    c->context.uc_stack.ss_sp = c->stack;
    c->context.uc_stack.ss_size = STACK_BYTES;
    c->context.uc_link = NULL;
    makecontext(&c->context, body, 0);
}

static void
check_result(struct lab_digest want, struct lab_digest want_after)
{
    bool cancelled = run.mode == CANCEL || run.mode == TWO_CANCEL;
    struct lab_digest after;

    if (sweepers > 1)
        run.got = lab_sum(run.part[0], run.part[1]);
    if (run.mode == PLAIN || run.mode == TWO)
        must(run.got.error == 0);
    else if (run.got.error != 0)
        must(run.got.error == (cancelled ? -ECANCELED : -ENOMEM));
    if (run.got.error == 0)
        must(lab_same(run.got, want)); /* whatever the schedule, the instant of the cut */
    note_images();
    lab_end();
    after = lab_quiet();
    /* and the write has happened, and nothing is left over */
    must(cancelled || lab_same(after, want_after));
}

static void
run_schedule(struct lab_digest want, struct lab_digest want_after, bool thorough)
{
    lab_open();
    lab_run(run.scenario->setup);
    lab_cut();
    sweepers = run.mode == TWO || run.mode == TWO_CANCEL ? 2 : 1;
    co_init(&coroutines[0], sweepers == 1 ? sweep_body : first_part_body);
    co_init(&coroutines[1], second_part_body);
    co_init(&coroutines[WRITE], write_body);
    atomic_store(&run.cancel, false);
    memset(run.quiescent, 0, sizeof run.quiescent);
    reached = 0;
    running = &coroutines[0];
    step_hook = at_step;
    must(swapcontext(&scheduler, &running->context) == 0);
    step_hook = NULL;
    running = NULL;
    fault_disarm();
    pages_limit(0);
    check_result(want, want_after);
    if (thorough)
        mm_check();
    spoil_images();
    lab_close();
}

static void
explore(const struct scenario *s, enum mode mode)
{
    static const char *const modes[] = {
        "", " without memory", " at the limit", " and cancel", " by two", " by two, cancel"};
    const char *env = getenv("STEP_BUDGET");
    unsigned long budget = env != NULL ? strtoul(env, NULL, 10) : 2000, runs = 0, total = 0;
    struct lab_digest want, after;
    bool complete = false;

    if (strstr(s->setup, "@1200000") != NULL)
        budget /= 6; /* each run copies megabytes */
    lab_open();
    lab_run(s->setup);
    want = lab_quiet();
    lab_run(s->write);
    after = lab_quiet();
    lab_close();
    run.scenario = s;
    run.mode = mode;
    for (bound = 1; !complete && total < budget; bound++) {
        unsigned long before = runs;

        known = runs = 0;
        do
            run_schedule(want, after, runs % 64 == 0);
        while (++runs + total < budget * 2 && next_schedule());
        total += runs;
        complete = runs == before; /* one more change of hands gave no new schedule */
    }
    printf("steps: %-50s%-16s %6lu schedules, %u points, %s %u changes of hands\n", s->name,
           modes[mode], total, reached, complete ? "all with any number of, at most" : "up to",
           bound - 1);
    fflush(stdout);
}

START_TEST(every_schedule_gives_the_instant_of_the_cut)
{
    explore(&scenarios[_i], PLAIN);
}
END_TEST

START_TEST(without_memory_for_a_copy_the_save_fails_and_the_write_does_not) /* C2 */
{
    explore(&scenarios[_i], NO_MEMORY);
}
END_TEST

START_TEST(at_the_memory_limit_the_save_fails_and_the_write_does_not) /* C2 */
{
    explore(&scenarios[_i], LIMIT);
}
END_TEST

START_TEST(a_cancel_waits_for_its_grace_period) /* C1 */
{
    explore(&scenarios[_i], CANCEL);
}
END_TEST

START_TEST(two_sweepers_give_the_instant_of_the_cut) /* S4 */
{
    explore(&scenarios[_i], TWO);
}
END_TEST

START_TEST(a_cancel_waits_for_both_sweepers) /* C1, S4 */
{
    explore(&scenarios[_i], TWO_CANCEL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("server/steps");

    mallopt(M_TRIM_THRESHOLD, 256 << 20); /* thousands of small heaps one after the other */
    mallopt(M_TOP_PAD, 16 << 20);
    for (int i = 0; i < SCENARIO_COUNT; i++) {
        TCase *t = tcase_create(scenarios[i].name);

        tcase_set_timeout(t, 600);
        tcase_add_loop_test(t, every_schedule_gives_the_instant_of_the_cut, i, i + 1);
        tcase_add_loop_test(t, without_memory_for_a_copy_the_save_fails_and_the_write_does_not, i,
                            i + 1);
        tcase_add_loop_test(t, at_the_memory_limit_the_save_fails_and_the_write_does_not, i, i + 1);
        tcase_add_loop_test(t, a_cancel_waits_for_its_grace_period, i, i + 1);
        tcase_add_loop_test(t, two_sweepers_give_the_instant_of_the_cut, i, i + 1);
        tcase_add_loop_test(t, a_cancel_waits_for_both_sweepers, i, i + 1);
        suite_add_tcase(suite, t);
    }
    return run_suite(suite);
}
