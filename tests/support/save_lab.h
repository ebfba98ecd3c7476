/* tests/support/save_lab.h - a lab whose server saves into a directory of its own, with three keys.
 * A dump that is a directory is a save that fails, in its last step but one. */
#ifndef TESTS_SUPPORT_SAVE_LAB_H
#define TESTS_SUPPORT_SAVE_LAB_H

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config/config.h"
#include "server/data/db/db.h"
#include "server/persist/persist.h"
#include "snapshot/snapshot.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

static char save_lab_dir[SCRATCH_BYTES];

/* save_lab_open, save_lab_close: a checked fixture. */
static inline void
save_lab_open(void)
{
    scratch_make(save_lab_dir, "persist");
    ck_assert_int_eq(chdir(save_lab_dir), 0);
    lab_open();
    config.rdb_compression = false; /* many bytes are much work */
    ck_assert_int_eq(snapshot_start(), 0);
    ck_assert_int_eq(persist_init(), 0);
    db_state.dirty = 0;
    lab_run("set a 1;set b 2;hset h f v");
}

static inline void
save_lab_close(void)
{
    snapshot_stop();
    lab_close();
    (void)unlink("dump.rdb");
    (void)rmdir("dump.rdb");
    ck_assert_int_eq(rmdir(save_lab_dir), 0); /* nothing else is left */
}

static inline void
make_saves_fail(bool fail)
{
    (void)unlink("dump.rdb");
    if (fail)
        ck_assert_int_eq(mkdir("dump.rdb", 0700), 0);
    else
        ck_assert_int_eq(rmdir("dump.rdb"), 0);
}

/* info_has: a line of INFO's section; expect: it is there. */
static inline bool
info_has(const char *line)
{
    return strstr(lab_reply("info persistence"), line) != NULL;
}

static inline void
expect(const char *line)
{
    ck_assert_msg(info_has(line), "no %s in %s", line, lab_reply("info persistence"));
}

/* finish: the save that runs, to its end; background: a whole one. */
static inline void
finish(void)
{
    while (persist_is_saving()) {
        snapshot_wait();
        persist_poll();
    }
}

static inline void
background(void)
{
    ck_assert_str_eq(lab_reply("bgsave"), "+Background saving started\r\n");
    finish();
}

#endif
