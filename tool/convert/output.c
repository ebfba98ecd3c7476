/* tool/convert/output.c - files that appear when all of them are complete. */
#include "tool/convert/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/le.h"
#include "mm/base/os.h"
#include "snapshot/rdb/rdb.h"
#include "tool/convert/sink_fd.h"

enum {
    BLOCKS_BYTES = 2 << 20, /* for a block of each part that is open at once */
    BLOCK_LEAST_BYTES = 8 << 10
};

static void fail(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
fail(struct output *out, const char *format, ...)
{
    va_list args;

    if (out->error[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(out->error, sizeof out->error, format, args);
    va_end(args);
}

static bool
is_stdout(const struct output *out)
{
    return strcmp(out->o.path, "-") == 0;
}

/* suffix_of: where ".rdb" or the like begins; its end, if it has none. */
static const char *
suffix_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash == NULL ? path : slash, '.');

    return dot == NULL || dot == path || (slash != NULL && dot == slash + 1) ? path + strlen(path)
                                                                             : dot;
}

char *
output_name(const char *path, bool is_many, uint64_t number)
{
    const char *at = strstr(path, "%d"), *rest = at == NULL ? NULL : at + 2;
    char *name = NULL;
    int n;

    if (!is_many)
        return strdup(path);
    if (at == NULL)
        at = rest = suffix_of(path);
    n = asprintf(&name, "%.*s%s%llu%s", (int)(at - path), path, at == rest ? "." : "",
                 (unsigned long long)number, rest);
    return n < 0 ? NULL : name;
}

/* is_input: such a file is never written.  Said if so. */
static bool
is_input(struct output *out, const char *path)
{
    struct stat st, in;

    if (stat(path, &st) < 0)
        return false; /* whatever is wrong with it, opening says it */
    for (int i = 0; i < out->o.input_count; i++)
        if (stat(out->o.inputs[i], &in) == 0 && in.st_dev == st.st_dev && in.st_ino == st.st_ino) {
            fail(out, "%s: it is an input, which is never changed", path);
            return true;
        }
    return false;
}

/* open_medium: 0 or -errno. */
static int
open_medium(struct output *out, struct part *p)
{
    int r;

    if (is_stdout(out))
        return sink_fd_open(STDOUT_FILENO, false, &p->medium);
    if ((r = tool_temp_open(&p->temp, p->path, out->o.force)) < 0)
        return r;
    return sink_fd_open(p->temp.fd, p->temp.temp_path != NULL, &p->medium);
}

static int
open_writer(struct output *out, struct part *p)
{
    unsigned cores = os_cores();
    unsigned others = cores <= 2                    ? 1
                      : cores > WRITER_THREADS_MOST ? WRITER_THREADS_MOST
                                                    : cores - 1;
    struct writer_options o = {.medium = p->medium,
                               .lz4 = out->o.lz4,
                               .level = out->o.level,
                               .threads = out->o.lz4 ? others : 1,
                               .block_bytes = LZ4_FRAME_BLOCK_BYTES};

    if (out->o.at_once) {
        size_t block = BLOCKS_BYTES / (out->count > out->o.expected ? out->count : out->o.expected);

        o.threads = 0;
        o.block_bytes = block < BLOCK_LEAST_BYTES       ? BLOCK_LEAST_BYTES
                        : block > LZ4_FRAME_BLOCK_BYTES ? LZ4_FRAME_BLOCK_BYTES
                                                        : block;
    }
    return writer_open(&p->writer, &o);
}

/* begin: magic and what stands before the keys. */
static int
begin(struct output *out, struct part *p)
{
    char magic[16];

    snprintf(magic, sizeof magic, out->o.version >= RDB_VERSION_VALKEY ? "VALKEY%03d" : "REDIS%04d",
             out->o.version);
    sink_put(&p->writer.sink, magic, RDB_MAGIC_BYTES);
    return hold_copy(&out->head, 0, hold_bytes(&out->head), &p->writer.sink);
}

static int
open_part(struct output *out, struct part *p)
{
    int r = -ENOMEM;

    p->temp.fd = -1;
    if ((p->path = output_name(out->o.path, out->o.is_many, p->number)) == NULL) {
        fail(out, "%s: %s", out->o.path, strerror(ENOMEM));
        return -1;
    }
    if (is_input(out, p->path))
        return -1;
    if ((r = open_medium(out, p)) == 0 && (r = open_writer(out, p)) == 0) {
        p->is_open = true;
        r = begin(out, p);
    }
    if (r == -EEXIST)
        fail(out, "%s: is there already (--force replaces it)", p->path);
    else if (r < 0)
        fail(out, "%s: cannot be written: %s", p->path, strerror(-r));
    return r;
}

static void
close_part(struct part *p)
{
    if (p->is_open)
        writer_close(&p->writer);
    p->is_open = false;
    if (p->medium != NULL)
        sink_close(p->medium);
    p->medium = NULL;
}

struct part *
output_part(struct output *out, uint64_t number)
{
    struct part *p;

    if (number < out->count && out->parts[number]->number == number)
        return out->parts[number];
    for (unsigned i = out->count; i > 0; i--)
        if (out->parts[i - 1]->number == number)
            return out->parts[i - 1];
    if (out->count == PARTS_MOST) {
        fail(out, "%s: more than %d files", out->o.path, PARTS_MOST);
        return NULL;
    }
    if ((p = calloc(1, sizeof *p)) == NULL) {
        fail(out, "%s: %s", out->o.path, strerror(ENOMEM));
        return NULL;
    }
    p->number = number;
    p->db = DB_NONE;
    out->parts[out->count++] = p;
    return open_part(out, p) < 0 ? NULL : p;
}

/* say_failed: of a medium's error. */
static void
say_failed(struct output *out, const struct part *p, int error)
{
    const char *step = p->medium != NULL ? p->medium->failed_step : NULL;

    fail(out, "%s: %s: %s", is_stdout(out) ? "standard output" : p->path,
         step == NULL ? "write" : step, strerror(-error));
}

bool
output_failed(struct output *out, struct part *p)
{
    int error = sink_error(&p->writer.sink);

    if (error == 0)
        return out->error[0] != '\0';
    say_failed(out, p, error);
    return true;
}

/* put_end: the trailer; a frame has sums of its own. */
static void
put_end(const struct output *out, struct sink *s)
{
    uint8_t end[1 + RDB_CRC_BYTES] = {RDB_OP_EOF};

    sink_put(s, end, 1);
    le_store(end + 1, sink_crc(s), RDB_CRC_BYTES);
    if (out->o.version >= RDB_CRC_FROM_VERSION)
        sink_put(s, end + 1, RDB_CRC_BYTES);
}

int
output_finish(struct output *out, struct part *p)
{
    int r;

    if (output_failed(out, p))
        return -1;
    put_end(out, &p->writer.sink);
    p->rdb_bytes = output_bytes(p);
    if ((r = writer_end(&p->writer)) < 0 || (r = sink_commit(p->medium)) < 0) {
        say_failed(out, p, r);
        return -1;
    }
    close_part(p);
    p->is_complete = true;
    return 0;
}

/* name_part: it is on the disk already. */
static int
name_part(struct output *out, struct part *p)
{
    int r = is_stdout(out) ? 0 : tool_temp_commit(&p->temp);

    if (r < 0)
        fail(out, "%s: cannot be given its name: %s", p->path, strerror(-r));
    return r;
}

int
output_publish(struct output *out)
{
    sigset_t before;
    int r = 0;

    for (unsigned i = 0; i < out->count; i++)
        if (!out->parts[i]->is_complete && output_finish(out, out->parts[i]) < 0)
            return -1;
    tool_temp_hold(&before);
    for (unsigned i = 0; i < out->count && r == 0; i++)
        r = name_part(out, out->parts[i]) < 0 ? -1 : 0;
    tool_temp_release(&before);
    return r;
}

/* allow_files: each part takes a descriptor until all have their names; what is refused is said
 * when it matters. */
static void
allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int
output_open(struct output *out, const struct output_options *o)
{
    int r;

    *out = (struct output){.o = *o};
    if (o->is_many)
        allow_files();
    if ((r = hold_open(&out->head)) < 0)
        return r;
    if ((out->parts = calloc(PARTS_MOST, sizeof *out->parts)) != NULL)
        return 0;
    hold_close(&out->head);
    return -ENOMEM;
}

void
output_close(struct output *out)
{
    for (unsigned i = 0; i < out->count; i++) {
        struct part *p = out->parts[i];

        close_part(p);
        if (p->path != NULL)
            tool_temp_drop(&p->temp);
        free(p->path);
        free(p);
    }
    free(out->parts);
    hold_close(&out->head);
}
