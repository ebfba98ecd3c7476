/* server/net/loop.c - the event loop. */
#include "server/net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "mm/base/clock.h"
#include "mm/base/must.h"
#include "mm/base/os.h"
#include "server/figures/stats.h"
#include "snapshot/snapshot.h"

enum {
    EVENTS_MAX = 256,     /* per wait */
    LONGEST_WAIT_MS = 100 /* whatever the tasks say: the clock may be set back */
};

struct loop_state loop_state;

static int epoll_fd = -1;

static int
control(int how, int fd, uint32_t events, struct loop_source *s)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    debug_check(how == EPOLL_CTL_DEL || s->ready != NULL);
    return epoll_ctl(epoll_fd, how, fd, &e) == 0 ? 0 : -errno;
}

int
loop_add(int fd, uint32_t events, struct loop_source *s)
{
    return control(EPOLL_CTL_ADD, fd, events, s);
}

int
loop_change(int fd, uint32_t events, struct loop_source *s)
{
    return control(EPOLL_CTL_MOD, fd, events, s);
}

void
loop_remove(int fd)
{
    control(EPOLL_CTL_DEL, fd, 0, NULL);
}

/* The snapshot's eventfd only has to wake the loop: a task looks after the save in every turn. */
static void
take_snapshot_event(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events;
}

int
loop_init(void)
{
    static struct loop_source snapshot_source = {.ready = take_snapshot_event};

    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -errno;
    return loop_add(snapshot_event_fd(), EPOLLIN, &snapshot_source);
}

/* ---- tasks ---- */

static struct loop_task *tasks[LOOP_TASKS_MAX]; /* in the order in which they run */
static unsigned task_count;
static void (*finish)(void); /* NULL: nothing */

/* Most turns find no task due and none changed: then these two say all that is to be known. */
static int64_t next_ms = LOOP_NOW; /* when the first of them is due */
static uint32_t each_turn;         /* by its number in tasks */
bool loop_tasks_changed;

void
loop_task_add(struct loop_task *t)
{
    unsigned at = task_count;

    for (unsigned i = 0; i < task_count; i++)
        if (tasks[i] == t)
            return;
    must(t->run != NULL && t->longest_ms >= 0 && task_count < LOOP_TASKS_MAX);
    for (; at > 0 && tasks[at - 1]->place > t->place; at--)
        tasks[at] = tasks[at - 1];
    tasks[at] = t;
    task_count++;
    loop_tasks_changed = true;
}

static void
look_at_tasks(void)
{
    loop_tasks_changed = false;
    next_ms = LOOP_NEVER;
    each_turn = 0;
    for (unsigned i = 0; i < task_count; i++) {
        if (tasks[i]->due_ms < next_ms)
            next_ms = tasks[i]->due_ms;
        each_turn |= (uint32_t)tasks[i]->each_turn << i;
    }
}

static inline bool
is_due(const struct loop_task *t)
{
    return t->due_ms <= clock_now.ms;
}

/* shared_slice: what each kind of background work may take: those that are due share one slice. */
static unsigned
shared_slice_us(void)
{
    unsigned kinds = 0;

    for (unsigned i = 0; i < task_count; i++)
        kinds += tasks[i]->is_slice && is_due(tasks[i]);
    return kinds > 1 ? LOOP_SLICE_US / kinds : LOOP_SLICE_US;
}

/* A huge key that goes is freed while the pages it leaves are tidied up, and others move: which of
 * them have work is known when the first one's turn comes, since only cron makes them due. */
static void
run_due(void)
{
    unsigned slice_us = 0;

    for (unsigned i = 0; i < task_count; i++) {
        const struct loop_task *t = tasks[i];

        if (!t->each_turn && !is_due(t))
            continue;
        if (t->is_slice && slice_us == 0)
            slice_us = shared_slice_us();
        t->run(slice_us);
    }
}

static void
run_tasks(void)
{
    if (unlikely(loop_tasks_changed))
        look_at_tasks();
    if (unlikely(next_ms <= clock_now.ms)) {
        run_due();
        return;
    }
    for (uint32_t left = each_turn; left != 0; left &= left - 1)
        tasks[__builtin_ctz(left)]->run(LOOP_SLICE_US);
}

/* Where the clock was set back, whoever is due further ahead than ever does not wait for it to come
 * there. */
static void
refresh_clock(void)
{
    static int64_t latest_ms; /* that anybody has seen: commands look at the clock, too */

    if (clock_now.ms > latest_ms)
        latest_ms = clock_now.ms;
    clock_refresh();
    if (likely(clock_now.ms >= latest_ms))
        return;
    latest_ms = clock_now.ms;
    for (unsigned i = 0; i < task_count; i++)
        if (tasks[i]->longest_ms != 0 && tasks[i]->due_ms > clock_now.ms + tasks[i]->longest_ms)
            loop_task_at(tasks[i], LOOP_NOW);
}

void
loop_run_cron(void (*job)(void))
{
    int64_t begin_ns = os_monotonic_ns();

    if (loop_state.cron_paused)
        return;
    job();
    stats.cron_sum_us += (uint64_t)(os_monotonic_ns() - begin_ns) / 1000;
}

/* ---- a turn ---- */

static int
wait_ms(void)
{
    int64_t left;

    if (unlikely(loop_tasks_changed))
        look_at_tasks();
    left = next_ms - clock_now.ms;
    if (left <= 0 || loop_state.stopping)
        return 0;
    return (int)(left < LONGEST_WAIT_MS ? left : LONGEST_WAIT_MS);
}

/* Wait and serve.  The sweep's grace periods must not wait for a sleeping mutator, so it is offline
 * meanwhile. Returns when the wait was over, in monotonic nanoseconds. */
static int64_t
serve_ready(int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t begin_ns;
    int n;

    snapshot_offline();
    n = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
    snapshot_online();
    refresh_clock();
    begin_ns = clock_now.turn_ns;
    for (int i = 0; i < n && !loop_state.stopping; i++) {
        struct loop_source *s = events[i].data.ptr;
        s->ready(s, events[i].events);
    }
    return begin_ns;
}

/* note_turn: what INFO says of turns; commands: executed before this one began. */
static void
note_turn(int64_t begin_ns, uint64_t commands)
{
    uint64_t us = (uint64_t)(os_monotonic_ns() - begin_ns) / 1000;

    stats.turns++;
    stats.turn_sum_us += us;
    if (us > stats.turn_max_us)
        stats.turn_max_us = us;
    if (stats.commands > commands && stats.commands - commands > stats.turn_max_commands)
        stats.turn_max_commands = stats.commands - commands;
}

static void
one_turn(void)
{
    uint64_t commands = stats.commands;
    int64_t begin_ns = serve_ready(wait_ms());

    run_tasks();
    note_turn(begin_ns, commands);
}

void
loop_run(void)
{
    while (!loop_state.stopping)
        one_turn();
}

void
loop_at_end(void (*fn)(void))
{
    must(finish == NULL || finish == fn);
    finish = fn;
}

void
loop_turn_while_busy(void)
{
    struct clock_now then = clock_now;

    loop_turn_while_loading();
    clock_now = then;
}

void
loop_turn_while_loading(void)
{
    serve_ready(0);
    if (!loop_state.stopping)
        return;
    if (finish != NULL)
        finish(); /* SHUTDOWN while loading: nobody waits for the rest */
    exit(loop_state.exit_code);
}
