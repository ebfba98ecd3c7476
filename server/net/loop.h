/* server/net/loop.h - the event loop: file descriptors, the time, and what is done between two
 * waits.
 *
 * One turn: wait, refresh the clock, serve what is ready, then the tasks that are due, in the order
 * of their places.  Who has something to do between two waits owns a task and says in it when it
 * wants to run; the loop knows no more of it, and nothing of clients.
 *
 * Background work (dead values, memory to give back, the snapshot's settling) is done in slices of
 * about LOOP_SLICE_US; those kinds that have some share one slice.  While such work is left the
 * wait is a mere look.  The RCU bracket of the mutator (snapshot_offline) is around the wait.
 * Threads: mutator. */
#ifndef SERVER_NET_LOOP_H
#define SERVER_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* What a descriptor wakes: embedded in its owner, which must live until loop_remove() and the end
 * of the turn. */
struct loop_source {
    /* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
    void (*ready)(struct loop_source *s, uint32_t events);
};

struct loop_state {
    bool cron_paused; /* DEBUG PAUSE-CRON */
    bool stopping;    /* leave the loop after this turn */
    int exit_code;
};
extern struct loop_state loop_state;

/* loop_init: 0 or -errno. */
int loop_init(void);
/* loop_add, loop_change: level-triggered.  0 or -errno. */
int loop_add(int fd, uint32_t events, struct loop_source *s);
int loop_change(int fd, uint32_t events, struct loop_source *s);
void loop_remove(int fd);

/* ---- what is done between two waits ---- */

/* The places of a turn, in order.  A place may have several tasks. */
enum loop_place {
    LOOP_DEADLINES,  /* clients that have waited for long enough */
    LOOP_CRON,       /* what is done now and then; it may make others due */
    LOOP_SAVE_CRON,  /* is it time for a save? */
    LOOP_SNAPSHOT,   /* one that is under way */
    LOOP_DATA,       /* dead values, keys that expire */
    LOOP_READY_KEYS, /* clients that wait for keys, also for those that have just expired */
    LOOP_MOVING,     /* sparse slabs are emptied */
    LOOP_PAGES,      /* what is free goes back to the system */
    LOOP_EVICTION,   /* the limit on memory: after all that gives some back */
    LOOP_DELAYED,    /* clients whose command had to wait, while the server does not end yet */
    LOOP_SIGNALS,    /* the end, if that was asked for */
    LOOP_CHANGES,    /* what the turn has changed is told to those who cache keys */
    LOOP_CLIENTS     /* clients are told what others sent them; those that are closed go */
};

#define LOOP_NOW   ((int64_t)0) /* of due_ms: in this turn, and the next wait is a mere look */
#define LOOP_NEVER INT64_MAX

enum { LOOP_SLICE_US = 500, LOOP_TASKS_MAX = 24 };

struct loop_task {
    enum loop_place place;
    bool is_slice; /* background work: while it is due it shares the turn's slice with others */
    /* due_ms is never further ahead, or the clock was set back, and the task is due; 0: it may be
     * as far ahead as it likes */
    int64_t longest_ms;
    void (*run)(unsigned slice_us); /* slice_us: how long it should take at most, if is_slice */
    /* Once the task is added, changed by the calls below alone. */
    bool each_turn; /* it runs in each turn, due or not; that alone is no reason to wake for it */
    int64_t due_ms; /* unix milliseconds: when it wants to run */
};

/* loop_task_add: from now on; the struct stays where it is.  Twice is as good as once. */
void loop_task_add(struct loop_task *t);
/* loop_task_at: it is due at that time, or LOOP_NOW, or LOOP_NEVER.  A task that runs and does not
 * change this is due again.
 * loop_task_each_turn: from now on, or no longer. */
static inline void loop_task_at(struct loop_task *t, int64_t due_ms);
static inline void loop_task_each_turn(struct loop_task *t, bool on);
/* loop_run_cron: what DEBUG PAUSE-CRON stops, and whose time is cron's in the figures: for a task's
 * run(). */
void loop_run_cron(void (*job)(void));

/* loop_run: turn after turn until loop_state.stopping. */
void loop_run(void);

/* loop_turn_while_loading: one turn without waiting and without any task, for a loader that takes
 * long: clients are accepted and are answered -LOADING.  May be called inside a command (DEBUG
 * RELOAD).  If a client ends the server, `finish` is called, and then exit(). */
void loop_turn_while_loading(void);
/* loop_turn_while_busy: the same within a command that takes long; the time stands still for it. */
void loop_turn_while_busy(void);
/* loop_at_end: what loop_turn_while_loading() has to do before exit(); once, at start. */
void loop_at_end(void (*finish)(void));

/* ---- inline bodies ---- */

extern bool loop_tasks_changed; /* when the loop has to look at all of them again */

static inline void
loop_task_at(struct loop_task *t, int64_t due_ms)
{
    loop_tasks_changed |= t->due_ms != due_ms;
    t->due_ms = due_ms;
}

static inline void
loop_task_each_turn(struct loop_task *t, bool on)
{
    loop_tasks_changed |= t->each_turn != on;
    t->each_turn = on;
}

#endif
