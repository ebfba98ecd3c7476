/* snapshot/rdb/retained.c - kept dumps: their names, links and removal.  The contract is in
 * retained.h. */
#include "snapshot/rdb/retained.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "snapshot/rdb/temp_file.h"

enum {
    STAMP_BYTES = sizeof "20261129T101500Z", /* with its NUL */
    NUMBER_MAX = 9999                        /* kept dumps of one second */
};

/* What tells two kept dumps of one dump apart, in the order of their age. */
struct stamp {
    char time[STAMP_BYTES];
    int number; /* 1: the first of its second */
};

/* ---- names ---- */

static const char *
base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* stem_len: of a dump's name: what stands before its last dot, which does not begin it. */
static size_t
stem_len(const char *dump)
{
    const char *dot = strrchr(dump, '.');

    return dot == NULL || dot == dump ? strlen(dump) : (size_t)(dot - dump);
}

/* parse_number: "", or "_2" and on, up to `end`; 0: neither. */
static int
parse_number(const char *p, const char *end)
{
    int n = 0;

    if (p == end)
        return 1;
    if (*p++ != '_' || p == end || *p == '0')
        return 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || (n = n * 10 + (*p - '0')) > NUMBER_MAX)
            return 0;
    }
    return n >= 2 ? n : 0;
}

static bool
parse_time(const char *p, char ret[STAMP_BYTES])
{
    static const char form[] = "00000000T000000Z";

    for (size_t i = 0; i < STAMP_BYTES - 1; i++)
        if (form[i] == '0' ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
            return false; /* a NUL is neither: nothing is read behind it */
    memcpy(ret, p, STAMP_BYTES - 1);
    ret[STAMP_BYTES - 1] = '\0';
    return true;
}

static bool
parse_name(const char *name, const char *dump, struct stamp *ret)
{
    size_t stem = stem_len(dump), len = strlen(name), end_len = strlen(dump + stem);
    const char *p = name + stem + 1, *end;

    if (len < stem + 1 + (STAMP_BYTES - 1) + end_len)
        return false;
    end = name + len - end_len;
    if (memcmp(name, dump, stem) != 0 || name[stem] != '-' || strcmp(end, dump + stem) != 0)
        return false;
    return parse_time(p, ret->time) && (ret->number = parse_number(p + STAMP_BYTES - 1, end)) > 0;
}

bool
retained_is_of(const char *name, const char *dump)
{
    struct stamp s;

    return parse_name(name, dump, &s);
}

/* put_name: 0 or -ENAMETOOLONG. */
static int
put_name(char ret[NAME_MAX + 1], const char *dump, const struct stamp *s)
{
    char number[16] = "";
    size_t stem = stem_len(dump);
    int n;

    if (s->number > 1)
        snprintf(number, sizeof number, "_%d", s->number);
    n = snprintf(ret, NAME_MAX + 1, "%.*s-%s%s%s", (int)stem, dump, s->time, number, dump + stem);
    return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* stamp_of: the time at which the file was finished. */
static int
stamp_of(const char *file, struct stamp *ret)
{
    struct stat st;
    struct tm tm;

    if (stat(file, &st) < 0)
        return -errno;
    if (gmtime_r(&st.st_mtime, &tm) == NULL ||
        strftime(ret->time, sizeof ret->time, "%Y%m%dT%H%M%SZ", &tm) != STAMP_BYTES - 1)
        return -EOVERFLOW; /* a year of five digits: the name would not be known again */
    ret->number = 1;
    return 0;
}

/* ---- what is kept ---- */

static bool
is_regular(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

struct list {
    struct stamp *at; /* [owned] */
    size_t count, room;
};

static int
add(struct list *l, const struct stamp *s)
{
    if (l->count == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 64;
        struct stamp *at = realloc(l->at, room * sizeof *at);

        if (at == NULL)
            return -ENOMEM;
        l->at = at;
        l->room = room;
    }
    l->at[l->count++] = *s;
    return 0;
}

/* collect: all that are kept of the dump, but for the one of that name.  0 or -errno. */
static int
collect(int dir_fd, const char *dump, const char *but, struct list *l)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    struct dirent *entry;
    struct stamp s;
    DIR *dir;

    if (fd < 0)
        return -errno;
    if ((dir = fdopendir(fd)) == NULL) {
        r = -errno;
        close(fd);
        return r;
    }
    while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        if (parse_name(entry->d_name, dump, &s) && strcmp(entry->d_name, but) != 0 &&
            is_regular(dir_fd, entry->d_name))
            r = add(l, &s);
    if (r == 0)
        r = -errno;
    closedir(dir); /* and fd */
    return r;
}

/* ---- giving one ---- */

static bool
fail(struct retained *ret, int error, const char *step)
{
    must(error < 0);
    if (ret->error == 0) {
        ret->error = error;
        ret->step = step;
    }
    return false;
}

/* link_once: 0; -EEXIST; -EOPNOTSUPP: there are no links here; or another -errno. */
static int
link_once(int dir_fd, const char *temp, const char *name)
{
    typedef int (*linkat_fn)(int from_dir, const char *from, int to_dir, const char *to, int flags);
    /* looked up, as renameat2() below: not every system has it */
    linkat_fn f = (linkat_fn)dlsym(RTLD_DEFAULT, "linkat");

    if (fault_point(FAULT_retain_link))
        return -EOPNOTSUPP;
    if (f == NULL)
        return -EOPNOTSUPP;
    if (f(AT_FDCWD, temp, dir_fd, name, 0) == 0)
        return 0;
    return errno == EPERM || errno == ENOSYS || errno == EMLINK || errno == ENOTSUP ? -EOPNOTSUPP
                                                                                    : -errno;
}

/* Of the kernel's call. */
enum { NO_REPLACE = 1, EXCHANGE = 2 };
typedef int (*renameat2_fn)(int from_dir, const char *from, int to_dir, const char *to,
                            unsigned flags);

static int
rename_by(int to_dir, const char *from, const char *to, unsigned how)
{
    renameat2_fn f = (renameat2_fn)dlsym(RTLD_DEFAULT, "renameat2");

    if (f == NULL)
        return -ENOSYS;
    return f(AT_FDCWD, from, to_dir, to, how) < 0 ? -errno : 0;
}

static int
rename_once(int dir_fd, const char *temp, const char *name)
{
    return fault_point(FAULT_retain_rename) ? -EIO : rename_by(dir_fd, temp, name, NO_REPLACE);
}

/* next_number: behind those that are kept of that second: a number that has become free again would
 * be older than it is. */
static int
next_number(int dir_fd, const char *dump, struct stamp *s)
{
    struct list l = {.at = NULL};
    int r = collect(dir_fd, dump, "", &l);

    for (size_t i = 0; i < l.count; i++)
        if (strcmp(l.at[i].time, s->time) == 0 && l.at[i].number >= s->number)
            s->number = l.at[i].number + 1;
    free(l.at);
    return r;
}

/* name_it: with the first name of its second that nobody has or had. */
static bool
name_it(int dir_fd, const char *temp, const char *path, struct retained *ret, const char *step,
        int (*give)(int dir_fd, const char *temp, const char *name))
{
    char name[NAME_MAX + 1] = "";
    struct stamp s = {.number = 1};
    int r;

    if ((r = stamp_of(temp, &s)) < 0 || (r = next_number(dir_fd, base_of(path), &s)) < 0)
        return fail(ret, r, step);
    do {
        r = s.number > NUMBER_MAX ? -EOVERFLOW : put_name(name, base_of(path), &s);
        if (r == 0)
            r = give(dir_fd, temp, name);
        s.number++;
    } while (r == -EEXIST); /* it is no regular file */
    if (r < 0)
        return fail(ret, r, step);
    must(retained_is_of(name, base_of(path))); /* or nobody would ever remove it */
    memcpy(ret->name, name, sizeof name);
    return true;
}

bool
retained_link(int dir_fd, const char *temp, const char *path, struct retained *ret)
{
    return name_it(dir_fd, temp, path, ret, "link", link_once);
}

void
retained_unlink(int dir_fd, struct retained *ret)
{
    must(ret->name[0] != '\0');
    (void)unlinkat(dir_fd, ret->name, 0); /* the save has failed: that is what is told */
    ret->name[0] = '\0';
}

int
retained_exchange(const char *temp, const char *path)
{
    if (!is_regular(AT_FDCWD, path)) /* something else at that place is rename's to refuse */
        return 0;
    if (fault_point(FAULT_retain_exchange) || rename_by(AT_FDCWD, temp, path, EXCHANGE) < 0)
        return -EOPNOTSUPP;
    return 1;
}

bool
retained_rename(int dir_fd, const char *temp, const char *path, struct retained *ret)
{
    return name_it(dir_fd, temp, path, ret, "rename", rename_once);
}

/* ---- removing the oldest ---- */

static int
by_age(const void *a, const void *b)
{
    const struct stamp *x = a, *y = b;
    int r = strcmp(x->time, y->time);

    return r != 0 ? r : x->number - y->number;
}

/* rename_first: to a temporary file's name, in `name`, for good.  0 or -errno. */
static int
rename_first(int dir_fd, char name[NAME_MAX + 1])
{
    char temp[TEMP_NAME_BYTES];

    temp_file_name(TEMP_DUMP, temp);
    if (renameat(dir_fd, name, dir_fd, temp) < 0 || fsync(dir_fd) < 0)
        return -errno;
    memcpy(name, temp, sizeof temp);
    return 0;
}

/* remove_one: 1: removed; 0: it is gone; or -errno. */
static int
remove_one(int dir_fd, const char *dump, const struct stamp *s, bool is_careful)
{
    char name[NAME_MAX + 1];
    int r = put_name(name, dump, s);

    must(r == 0); /* it was there */
    if (fault_point(FAULT_retain_remove))
        return -EACCES;
    if (is_careful && (r = rename_first(dir_fd, name)) < 0)
        return r == -ENOENT ? 0 : r;
    if (unlinkat(dir_fd, name, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    return 1;
}

bool
retained_prune(int dir_fd, const char *path, unsigned count, struct retained *ret)
{
    struct list l = {.at = NULL};
    /* What was just kept is the newest, whatever the clock says. */
    size_t others = ret->name[0] != '\0' ? count - 1 : count;
    int r = collect(dir_fd, base_of(path), ret->name, &l);

    must(count > 0);
    if (r < 0)
        fail(ret, r, "removal");
    if (l.count > 1)
        qsort(l.at, l.count, sizeof *l.at, by_age);
    for (size_t i = 0; r >= 0 && i + others < l.count; i++) {
        if ((r = remove_one(dir_fd, base_of(path), &l.at[i], ret->is_careful)) < 0)
            fail(ret, r, "removal");
        else
            ret->removed += (unsigned)r;
    }
    free(l.at);
    return ret->removed > 0;
}
