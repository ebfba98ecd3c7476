/* snapshot/rdb/retained.h - dumps that are kept beside the newest one, under the time at which they
 * were finished: dump-20261129T101500Z.rdb beside dump.rdb; a second one of the same second is
 * dump-20261129T101500Z_2.rdb.
 *
 * A kept dump is a second name (a hard link) of the file that becomes the dump.  It is given just
 * before the rename, so that one fsync of the directory makes both durable; killed between the two,
 * the server leaves a whole file and the dump before it.  Where a file system has no hard links the
 * dump that is replaced is kept instead: it and the new file exchange their names in one step
 * (renameat2), so that there is a whole dump at every moment, and then it gets its time's name.
 * Where that is not to be had either, nothing is kept, and *ret says so.  On OSv, whose links do
 * not survive each power cut, it is the dump that was set aside.
 *
 * RT1  A failure here never fails a save.
 * RT2  What is removed has exactly such a name, of the same dump, and is a regular file; never the
 *      one that was just kept.
 * Threads: one at a time; all of it blocks. */
#ifndef SNAPSHOT_RDB_RETAINED_H
#define SNAPSHOT_RDB_RETAINED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What became of it. */
struct retained {
    /* in: a file may go before its name does, in a power cut (set_aside.h): what is removed first
     * gets a name that the next start removes */
    bool is_careful;
    char name[NAME_MAX + 1]; /* under which a dump was kept, without its directory; "": none */
    unsigned removed;        /* older ones */
    int error;               /* 0 or the first -errno */
    const char *step;        /* what error is about: "link", "rename", "removal" */
};

/* retained_is_of: is this the name of a kept dump of `dump`?  Both without a directory. */
bool retained_is_of(const char *name, const char *dump);

/* retained_link: give the finished file, temp, its second name, in dir_fd's directory: that of
 * `path`, the dump's own name.  True: it has one; false: ret->error, and where it is -EOPNOTSUPP
 * the file system has no links. */
bool retained_link(int dir_fd, const char *temp, const char *path, struct retained *ret);
/* retained_unlink: take it back. */
void retained_unlink(int dir_fd, struct retained *ret);
/* retained_exchange: the two files exchange their names: 1.  Nothing was changed: 0: there is no
 * dump that could be kept; -EOPNOTSUPP: that cannot be done here. */
int retained_exchange(const char *temp, const char *path);
/* retained_rename: what has the temporary name now, the dump before, gets its time's name.  False:
 * ret->error, and it is still there. */
bool retained_rename(int dir_fd, const char *temp, const char *path, struct retained *ret);
/* retained_prune: remove the oldest kept dumps of `path` until `count` are left.  True: the
 * directory has changed. O(names in it) */
bool retained_prune(int dir_fd, const char *path, unsigned count, struct retained *ret);

#endif
