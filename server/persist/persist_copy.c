/* server/persist/persist_copy.c - snapshots that are not the dump: BGSAVE TO, and what is known of
 * the last one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/printable.h"
#include "mm/base/text.h"
#include "server/config/config.h"
#include "server/data/db/save_filter.h"
#include "server/persist/persist.h"
#include "server/persist/persist_impl.h"
#include "snapshot/rdb/retained.h"
#include "snapshot/rdb/temp_file.h"
#include "snapshot/snapshot.h"

enum { SHOWN_BYTES = 4 * NAME_MAX + 8 };

/* The file that is being made, and what became of the last one. */
static struct {
    struct persist_copy copy;
    char name[NAME_MAX + 1];    /* of the one that is under way */
    char shown[SHOWN_BYTES];    /* the same, for people; "": there was none yet */
    struct save_filter *filter; /* [owned] while it is under way */
    uint64_t made;
    bool last_ok;
    uint64_t last_keys, last_bytes;
    int64_t last_us; /* -1: none has ended yet */
    char cause[256];
} to = {.last_ok = true, .last_us = -1};

int
persist_copy_begin(const struct persist_copy *copy)
{
    must(copy->path != NULL && copy->end != NULL);
    return persist_begin(copy);
}

static void
take_end(void *ctx, const struct snapshot_end *end, const char *why)
{
    (void)ctx;
    save_filter_free(to.filter);
    to.filter = NULL;
    if (why != NULL) { /* not a failure: the status stays as it was */
        log_line(LOG_NOTICE, "Copy to '%s' cancelled: %s", to.shown, why);
        snprintf(to.cause, sizeof to.cause, "%s", why);
        return;
    }
    to.last_ok = end->error == 0;
    to.last_us = end->total_us;
    if (end->error != 0) {
        log_line(LOG_WARNING, "Copy to '%s' failed: %s", to.shown, end->text);
        snprintf(to.cause, sizeof to.cause, "%s", end->text);
        return;
    }
    to.made++;
    to.last_keys = end->keys;
    to.last_bytes = end->file_bytes;
    log_line(LOG_NOTICE, "Copy saved as '%s': %llu of %llu keys, %llu bytes in %.3f seconds",
             to.shown, (unsigned long long)end->keys,
             (unsigned long long)end->keys + (unsigned long long)end->left_out,
             (unsigned long long)end->file_bytes, (double)end->total_us / 1e6);
}

const char *
persist_copy_cause(void)
{
    return to.cause;
}

/* ---- the name ---- */

/* check_name: what can be said without a look at the disk. */
static int
check_name(struct slice name, struct text *why)
{
    if (name.len == 0 || name.len > NAME_MAX || memchr(name.ptr, '\0', name.len) != NULL)
        text_addf(why, "the name of a copy has 1 to %d bytes, none of them zero", NAME_MAX);
    else if (memchr(name.ptr, '/', name.len) != NULL || slice_is(name, ".") || slice_is(name, ".."))
        text_add(why, "a copy stands beside the dump: its name can't be a path");
    else if (slice_is(name, config.dbfilename))
        text_add(why, "that is the dump's own name: BGSAVE alone writes it");
    else
        return 0;
    return -EINVAL;
}

static bool
is_dump(int fd)
{
    static const char *const magics[] = {"REDIS", "VALKEY", "VCS"};
    char head[8] = "";

    if (read(fd, head, sizeof head - 1) < 0)
        return false;
    for (unsigned i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (strncmp(head, magics[i], strlen(magics[i])) == 0)
            return true;
    return false;
}

/* check_old: what stands there under that name is a dump, or nothing: nobody's configuration, log
 * or key is lost by a slip. */
static int
check_old(const char *name, struct text *why)
{
    struct stat st;
    bool ok = false;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd >= 0) {
        ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_dump(fd);
        (void)close(fd); /* it was only read */
    }
    if (ok)
        return 0;
    text_add(why, "there is a file of that name that is no dump: it stays");
    return -EEXIST;
}

int
persist_copy_to(struct slice name, struct save_filter *filter, struct text *why)
{
    int r;

    must(!persist.running);
    if ((r = check_name(name, why)) < 0)
        goto drop_filter;
    memcpy(to.name, name.ptr, name.len);
    to.name[name.len] = '\0';
    if (temp_file_kind(to.name) != TEMP_NONE || retained_is_of(to.name, config.dbfilename)) {
        text_add(
            why,
            "names of that form are for files that the server removes: those that are not done yet, and dumps that are kept");
        r = -EINVAL;
        goto drop_filter;
    }
    if ((r = check_old(to.name, why)) < 0)
        goto drop_filter;
    to.copy = (struct persist_copy){.path = to.name, .filter = filter, .end = take_end};
    if ((r = persist_copy_begin(&to.copy)) < 0) {
        text_add(why, strerror(-r));
        goto drop_filter;
    }
    to.filter = filter;
    printable(to.shown, sizeof to.shown, name.ptr, name.len);
    log_line(LOG_NOTICE, "It becomes the copy '%s'", to.shown);
    return 0;
drop_filter:
    save_filter_free(filter);
    return r;
}

void
persist_copy_info(struct text *out)
{
    text_addf(out, "rdb_copy_in_progress:%d\r\nrdb_copies:%llu\r\nrdb_last_copy_status:%s\r\n",
              to.filter != NULL, (unsigned long long)to.made, to.last_ok ? "ok" : "err");
    text_addf(out, "rdb_last_copy_keys:%llu\r\nrdb_last_copy_bytes:%llu\r\n",
              (unsigned long long)to.last_keys, (unsigned long long)to.last_bytes);
    text_addf(out, "rdb_last_copy_time_sec:%lld\r\n",
              (long long)(to.last_us < 0 ? -1 : to.last_us / 1000000));
}
