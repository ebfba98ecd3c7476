/* tool/base/out.c - output in pieces, written by a thread.
 *
 * The pieces are a ring: one is in hand, those before it wait for the thread or are being written.
 * What fits into one piece needs no thread.  After an error pieces are dropped, and who fills them
 * finds out by tool_out_failed(). */
#include "tool/base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/must.h"
#include "mm/base/os.h"
#include "tool/base/large.h"
#include "tool/base/spill.h"
#include "tool/base/temp.h"
#include "tool/base/tool.h"

enum { PIECES = 4, PIPE_BYTES = 1 << 20 };

struct out_state {
    int fd; /* -1: a spill without a file */
    bool is_file, is_spill;
    struct tool_temp temp;  /* is_file */
    uint64_t spilled_bytes; /* is_spill: in its file; the rest is in hand */
    uint8_t *pieces;        /* [owned] PIECES of OUT_PIECE_BYTES */
    size_t lens[PIECES];
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned filled, written; /* [lock: mutex] pieces, so far; the one in hand is number `filled` */
    bool is_closing;          /* [lock: mutex] */
    _Atomic int error;        /* 0, or the first -errno */
};

static uint8_t *
piece(const struct out_state *s, unsigned number)
{
    return s->pieces + (size_t)(number % PIECES) * OUT_PIECE_BYTES;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* fail: the first error stays. */
static void
fail(struct out_state *s, int error)
{
    int none = 0;

    (void)atomic_compare_exchange_strong_explicit(&s->error, &none, error, memory_order_relaxed,
                                                  memory_order_relaxed);
}

static void
write_piece(struct out_state *s, unsigned number)
{
    int r;

    if (atomic_load_explicit(&s->error, memory_order_relaxed) != 0)
        return;
    if ((r = write_all(s->fd, piece(s, number), s->lens[number % PIECES])) != 0)
        fail(s, r);
}

/* ---- the thread ---- */

static void *
write_pieces(void *arg)
{
    struct out_state *s = arg;

    os_thread_name("output");
    pthread_mutex_lock(&s->mutex);
    while (s->written != s->filled || !s->is_closing) {
        if (s->written == s->filled) {
            pthread_cond_wait(&s->changed, &s->mutex);
            continue;
        }
        pthread_mutex_unlock(&s->mutex);
        write_piece(s, s->written);
        pthread_mutex_lock(&s->mutex);
        s->written++;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* start_thread: signals are the other threads' business. */
static void
start_thread(struct out_state *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->has_thread = pthread_create(&s->thread, NULL, write_pieces, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* pass_on: the piece in hand to the thread; the next one is in hand when there is room. */
static void
pass_on(struct out_state *s)
{
    pthread_mutex_lock(&s->mutex);
    s->filled++;
    pthread_cond_signal(&s->changed);
    while (s->filled - s->written == PIECES)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

static void
end_thread(struct out_state *s)
{
    if (!s->has_thread)
        return;
    pthread_mutex_lock(&s->mutex);
    s->is_closing = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}

/* ---- open ---- */

static int input_count; /* [const after tool_out_inputs] */
static char **inputs;   /* the same */

void
tool_out_inputs(int count, char **paths)
{
    input_count = count;
    inputs = paths;
}

static bool
is_input(const char *path)
{
    struct stat out, in;

    if (stat(path, &out) != 0 || !S_ISREG(out.st_mode))
        return false;
    for (int i = 0; i < input_count; i++)
        if (stat(inputs[i], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
            return true;
    return false;
}

/* complain: one line; a reader that has gone away has what it wanted. */
static int
complain(const struct tool_out *out, int error)
{
    if (error == -EPIPE)
        return TOOL_OK;
    if (error == -EEXIST)
        fprintf(stderr, "stillframe-rdb: %s: is there already (--force replaces it)\n", out->path);
    else if (error == -ETXTBSY)
        fprintf(stderr, "stillframe-rdb: %s: it is an input, which is never changed\n", out->path);
    else
        fprintf(stderr, "stillframe-rdb: %s: cannot be written: %s\n", out->path, strerror(-error));
    return TOOL_INVALID;
}

static void
free_state(struct tool_out *out)
{
    pthread_mutex_destroy(&out->state->mutex);
    pthread_cond_destroy(&out->state->changed);
    free(out->state->pieces);
    free(out->state);
    *out = (struct tool_out){0};
}

static void
hold_piece(struct tool_out *out)
{
    out->at = piece(out->state, out->state->filled);
    out->end = out->at + OUT_PIECE_BYTES;
}

static int
new_state(struct tool_out *out)
{
    struct out_state *s = calloc(1, sizeof *s);

    if (s == NULL || (s->pieces = malloc((size_t)PIECES * OUT_PIECE_BYTES)) == NULL) {
        free(s);
        return -ENOMEM;
    }
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    out->state = s;
    hold_piece(out);
    return 0;
}

/* open_standard: standard output. */
static int
open_standard(struct out_state *s)
{
    s->fd = STDOUT_FILENO;
    fflush(stdout); /* what was printed comes first */
    return fcntl(s->fd, F_GETFD) < 0 ? -errno : 0;
}

/* open_file: -ETXTBSY: the command reads it. */
static int
open_file(struct out_state *s, const char *path, bool force)
{
    int r;

    if (is_input(path))
        return -ETXTBSY;
    r = tool_temp_open(&s->temp, path, force);
    s->is_file = true;
    s->fd = s->temp.fd;
    return r;
}

int
tool_out_open(struct tool_out *out, const char *path, bool force)
{
    bool is_standard = path == NULL || strcmp(path, "-") == 0;
    int r;

    *out = (struct tool_out){.path = is_standard ? "standard output" : path};
    signal(SIGPIPE, SIG_IGN);
    if ((r = new_state(out)) != 0)
        return complain(out, r);
    r = is_standard ? open_standard(out->state) : open_file(out->state, path, force);
    if (r == 0) {
        /* fewer turns between two processes; what is no pipe says no */
        (void)fcntl(out->state->fd, F_SETPIPE_SZ, PIPE_BYTES);
        return TOOL_OK;
    }
    r = complain(out, r);
    free_state(out);
    return r;
}

int
tool_out_open_spill(struct tool_out *out)
{
    int r;

    *out = (struct tool_out){.path = tool_spill_dir()};
    if ((r = new_state(out)) != 0)
        return complain(out, r);
    out->state->is_spill = true;
    out->state->fd = -1;
    return TOOL_OK;
}

/* ---- bytes ---- */

/* spill: the piece in hand into the file. */
static void
spill(struct out_state *s, size_t len)
{
    int r = 0;

    if (atomic_load_explicit(&s->error, memory_order_relaxed) != 0)
        return;
    if (s->fd < 0 && (s->fd = tool_spill_open()) < 0) {
        r = s->fd;
        s->fd = -1;
    }
    if (r == 0)
        r = tool_spill_write(s->fd, s->pieces, len, s->spilled_bytes);
    if (r == 0)
        s->spilled_bytes += len;
    else
        fail(s, r);
}

void
tool_out_flush(struct tool_out *out)
{
    struct out_state *s = out->state;
    uint8_t *begin = piece(s, s->filled);

    if (out->at == begin)
        return;
    tool_large_let_go(); /* of what was copied from there */
    if (s->is_spill) {
        spill(s, (size_t)(out->at - begin));
        out->at = begin;
        return;
    }
    s->lens[s->filled % PIECES] = (size_t)(out->at - begin);
    if (!s->has_thread)
        start_thread(s);
    if (s->has_thread)
        pass_on(s);
    else
        write_piece(s, s->filled);
    hold_piece(out);
}

void
tool_out_long(struct tool_out *out, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    while (len > 0) {
        size_t room = (size_t)(out->end - out->at), n = len < room ? len : room;

        memcpy(out->at, p, n);
        out->at += n;
        p += n;
        len -= n;
        if (out->at == out->end)
            tool_out_flush(out);
    }
}

void
tool_out_format(struct tool_out *out, const char *format, ...)
{
    size_t room = (size_t)(out->end - out->at);
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf((char *)out->at, room, format, args);
    va_end(args);
    must(len >= 0);
    if ((size_t)len < room) {
        out->at += len;
        return;
    }
    text = malloc((size_t)len + 1);
    must(text != NULL); /* lines are short */
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    tool_out_put(out, text, (size_t)len);
    free(text);
}

bool
tool_out_failed(const struct tool_out *out)
{
    return atomic_load_explicit(&out->state->error, memory_order_relaxed) != 0;
}

/* ---- what was kept for later ---- */

void
tool_out_empty(struct tool_out *out)
{
    out->at = out->state->pieces;
    out->state->spilled_bytes = 0;
}

/* each_spilled: of what is in the file; it is read into a piece that is not in hand. */
static int
each_spilled(struct out_state *s, int (*take)(void *ctx, struct slice piece), void *ctx)
{
    uint8_t *room = piece(s, 1);
    int r = 0;

    for (uint64_t at = 0; r == 0 && at < s->spilled_bytes; at += OUT_PIECE_BYTES) {
        uint64_t left = s->spilled_bytes - at;
        size_t n = left < OUT_PIECE_BYTES ? (size_t)left : OUT_PIECE_BYTES;

        if ((r = tool_spill_read(s->fd, room, n, at)) != 0)
            fail(s, r);
        else
            r = take(ctx, slice_of(room, n));
    }
    return r;
}

int
tool_out_each(struct tool_out *out, int (*take)(void *ctx, struct slice piece), void *ctx)
{
    struct out_state *s = out->state;
    int r = each_spilled(s, take, ctx);

    must(s->is_spill);
    if (r == 0 && out->at != s->pieces)
        r = take(ctx, slice_of(s->pieces, (size_t)(out->at - s->pieces)));
    return r;
}

static int
put_piece(void *ctx, struct slice piece)
{
    tool_out_slice(ctx, piece);
    return 0;
}

void
tool_out_move(struct tool_out *out, struct tool_out *to)
{
    (void)tool_out_each(out, put_piece, to);
    tool_out_empty(out);
}

/* ---- close ---- */

/* write_rest: everything that was gathered. */
static int
write_rest(struct tool_out *out)
{
    struct out_state *s = out->state;

    end_thread(s);
    s->lens[s->filled % PIECES] = (size_t)(out->at - piece(s, s->filled));
    write_piece(s, s->filled);
    return atomic_load_explicit(&s->error, memory_order_relaxed);
}

int
tool_out_close(struct tool_out *out, bool keep)
{
    struct out_state *s = out->state;
    int r;

    if (s == NULL)
        return TOOL_OK;
    if (s->is_spill || (!keep && s->is_file))
        out->at = piece(s, s->filled); /* nobody needs the rest */
    r = write_rest(out);
    if (s->is_file && keep && r == 0)
        r = tool_temp_commit(&s->temp);
    else if (s->is_file)
        tool_temp_drop(&s->temp);
    else if (s->is_spill && s->fd >= 0)
        close(s->fd);
    r = r == 0 ? TOOL_OK : complain(out, r);
    free_state(out);
    return r;
}
