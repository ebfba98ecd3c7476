/* server/net/loop.h - the event loop: file descriptors, the time, and what is done between two
 * waits.
 *
 * One turn: wait, refresh the clock, serve what is ready, then the periodic work that is due and a
 * slice of whatever background work is left (dead values, memory to give back, the snapshot's
 * settling).  While such work is left the wait is a mere look.  The RCU bracket of the mutator
 * (snapshot_offline) is around the wait.
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

/* loop_run: turn after turn until loop_state.stopping. */
void loop_run(void);

/* loop_turn_while_loading: one turn without waiting and without background work, for a loader that
 * takes long: clients are accepted and are answered -LOADING, signals are heard (SIGTERM ends the
 * process).  May be called inside a command (DEBUG RELOAD). */
void loop_turn_while_loading(void);

#endif
