/* tool/base/large.c - mapped temporary files, and the thread that lets go of their pages. */
#include "tool/base/large.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "tool/base/spill.h"

struct region {
    void *at;
    size_t room;
    int fd;
    struct region *next;
};

static struct region *regions; /* [lock: lock] */
static atomic_uint count;      /* of them */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_regions = PTHREAD_COND_INITIALIZER;

/* let_all_go: what was written stays: it is the file's. [lock held] */
static void
let_all_go(void)
{
    for (const struct region *r = regions; r != NULL; r = r->next)
        (void)madvise(r->at, r->room, MADV_DONTNEED);
}

void
tool_large_let_go(void)
{
    if (atomic_load_explicit(&count, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&lock);
    let_all_go();
    pthread_mutex_unlock(&lock);
}

/* let_go_on: for ever. */
static void *
let_go_on(void *unused)
{
    static const struct timespec pause = {.tv_nsec = 1000 * 1000};

    for (;;) {
        pthread_mutex_lock(&lock);
        while (regions == NULL)
            pthread_cond_wait(&has_regions, &lock);
        let_all_go();
        pthread_mutex_unlock(&lock);
        nanosleep(&pause, NULL);
    }
    return unused;
}

/* start_thread: once; signals are the others'.  [lock held] */
static bool
start_thread(void)
{
    static bool is_running;
    sigset_t all, before;
    pthread_t thread;

    if (is_running)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    is_running = pthread_create(&thread, NULL, let_go_on, NULL) == 0 && pthread_detach(thread) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_running;
}

/* add: a region of `room` bytes; NULL: none. [lock held] */
static struct region *
add(size_t room)
{
    struct region *r = malloc(sizeof *r);

    if (r == NULL)
        return NULL;
    *r = (struct region){.at = MAP_FAILED, .room = room, .fd = tool_spill_open()};
    /* the room is the file's before anything is written: there is no error for a full disk then */
    if (r->fd >= 0 && posix_fallocate(r->fd, 0, (off_t)room) == 0)
        r->at = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (r->at != MAP_FAILED && start_thread()) {
        r->next = regions;
        regions = r;
        atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
        pthread_cond_signal(&has_regions);
        return r;
    }
    if (r->at != MAP_FAILED)
        munmap(r->at, room);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
    return NULL;
}

/* find: the link to the region at `at`. [lock held] */
static struct region **
find(const void *at)
{
    struct region **link = &regions;

    while (*link != NULL && (*link)->at != at)
        link = &(*link)->next;
    must(*link != NULL);
    return link;
}

/* change: its room, or nothing.  NULL: it stays as it is. [lock held] */
static void *
change(struct region *r, size_t room)
{
    void *at;

    if (room == r->room) {
        (void)madvise(r->at, room, MADV_DONTNEED);
        return r->at;
    }
    if (posix_fallocate(r->fd, 0, (off_t)room) != 0)
        return NULL;
    if ((at = mremap(r->at, r->room, room, MREMAP_MAYMOVE)) == MAP_FAILED)
        return NULL;
    r->at = at;
    r->room = room;
    return at;
}

static void
give_back(struct region **link)
{
    struct region *r = *link;

    *link = r->next;
    atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
    munmap(r->at, r->room);
    close(r->fd);
    free(r);
}

void *
tool_large(void *at, size_t had, size_t room)
{
    struct region *r;
    void *ret = NULL;

    pthread_mutex_lock(&lock);
    if (at == NULL) {
        r = add(room);
        ret = r == NULL ? NULL : r->at;
    } else if (room == 0) {
        give_back(find(at));
    } else {
        r = *find(at);
        must(r->room == had);
        ret = change(r, room);
    }
    pthread_mutex_unlock(&lock);
    return ret;
}
