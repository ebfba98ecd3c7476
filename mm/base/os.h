/* mm/base/os.h - the one seam to the operating system's memory and clocks.  os_linux.c implements
 * it; everything that a system may lack (OSv: MADV_* variants, overcommit figures) is best effort
 * here and never an error above.
 * Threads: [any]. */
#ifndef MM_BASE_OS_H
#define MM_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* os_reserve: address space without memory behind it, page aligned; NULL if refused.  A touch
 * before os_commit() is a fault, except on OSv, where nothing stops it (os_linux.c says why). */
void *os_reserve(size_t bytes);
/* os_commit: make reserved pages readable and writable; memory comes with the first touch.  0 or
 * -errno. */
int os_commit(void *p, size_t bytes);
/* os_release: undo os_reserve. */
void os_release(void *p, size_t bytes);
/* os_discard: give the memory behind pages back; their content becomes zero or undefined.  Best
 * effort. */
void os_discard(void *p, size_t bytes);
/* os_discard_ranges: the same for several ranges in one call to the system, where it has such a
 * call, and one by one where it has not.  Returns for how many ranges the next such call makes
 * sense: OS_RANGES_MAX or 1. */
enum { OS_RANGES_MAX = 16 };
struct os_range {
    void *at;
    size_t bytes;
};
unsigned os_discard_ranges(const struct os_range *r, unsigned count);
/* os_populate: put memory behind committed pages without changing their bytes, whoever writes to
 * them meanwhile.  Best effort.
 * os_touch: the same where the system has no call for it: a page fault a page. */
void os_populate(void *p, size_t bytes);
void os_touch(void *p, size_t bytes);
/* os_drop_cache: these bytes of a file, which are on its disk, need not stay in the page cache; 0
 * bytes: to its end.  Best effort. */
void os_drop_cache(int fd, uint64_t from, uint64_t bytes);
/* os_sync_dir: names that were made, changed or removed in this directory are so for good.  0 or
 * -errno.  Blocks. */
int os_sync_dir(const char *path);
/* os_protect: for the barrier sanitizer.  0 or -errno. */
int os_protect(void *p, size_t bytes, bool writable);
/* os_reserve_twice: one piece of memory at two addresses, both writable, for the barrier sanitizer.
 * 0 or -errno. */
int os_reserve_twice(size_t bytes, void **ret_first, void **ret_second);

/* os_name: the system's name where uname() gives another one's ("OSv" calls itself Linux); NULL
 * where uname() tells the truth. */
const char *os_name(void);
/* os_identity: the system, its release and the machine's kind, as "Linux 6.1.0 x86_64"; "" if the
 * system does not say.  Cut short to room bytes, the final zero among them. */
void os_identity(char *ret, size_t room);

/* os_is_unikernel: the machine runs this program and nothing else: memory is not promised twice,
 * and what takes the last of it ends the machine, since malloc() there knows no NULL. */
bool os_is_unikernel(void);
/* os_free_bytes: of the machine's memory, what nobody has now; 0 if unknown.  On a unikernel a call
 * of a function that reads a counter (0.2 us under emulation). */
size_t os_free_bytes(void);

/* os_memory_bytes: the machine's memory; 0 if unknown.
 * os_address_limit: RLIMIT_AS, SIZE_MAX if none. */
size_t os_memory_bytes(void);
size_t os_address_limit(void);

/* Processor time that was used.  is_split: the system tells the program's own from what it did for
 * the program; otherwise all of it is user_us (OSv). */
struct os_cpu {
    int64_t user_us, system_us;
    bool is_split;
};
/* os_cpu_of_process, os_cpu_of_thread: since the start; of all threads, and of the calling one. */
struct os_cpu os_cpu_of_process(void);
struct os_cpu os_cpu_of_thread(void);

/* os_cores: how many processors this process may use; at least 1. */
unsigned os_cores(void);
/* os_thread_background: the calling thread is for work that can wait: it takes no processor from a
 * thread that wakes up, and has a smaller share where all are busy.  Best effort.
 * The others are for such a thread, where the system has no class for it (OSv); nothing elsewhere.
 * os_thread_woken: it has been woken: who did that first goes on, for a millisecond.
 * os_thread_give_way: between two steps of its work whoever waits for the processor goes first. */
void os_thread_background(void);
void os_thread_woken(void);
void os_thread_give_way(void);
/* os_thread_name: what tools of the system call the calling thread; of more than 15 bytes the first
 * 15 count.  Best effort. */
void os_thread_name(const char *name);

/* os_monotonic_us / _ns: a clock that never goes back. */
int64_t os_monotonic_us(void);
int64_t os_monotonic_ns(void);
/* os_unix_ns: since 1970. */
int64_t os_unix_ns(void);

#endif
