/* tool/input/input.c - opening a file of any kind, and its bytes as often as they are wanted. */
#include "tool/input/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/fault.h"
#include "mm/base/must.h"
#include "tool/base/spill.h"
#include "tool/input/ahead_impl.h"
#include "tool/input/stage_impl.h"
#include "tool/input/tape_impl.h"

struct tool_input {
    int fd;                   /* [owned] */
    struct stage_waits waits; /* [owned] of a stream; -1: none */
    uint64_t from;            /* of a regular file: where it stood when it was given to us */
    uint64_t size;            /* STAGE_STREAM: a stream */
    uint64_t known_bytes;     /* 0: not known; not asked of a tape, which a thread may be reading */
    bool was_read;            /* a stream, which comes once */
    bool is_packed;           /* known from the first source on, as the next two */
    bool has_sums;
    char form[64];
    struct stage_head head;
    struct tape tape;
};

enum { FORMS_MOST = 3 }; /* packed in packed in packed: nobody does that by intention */

/* ---- what is there ---- */

static int
open_path(const char *path)
{
    int fd;

    if (fault_point(FAULT_load_open))
        return -EACCES;
    if (strcmp(path, "-") == 0)
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    else
        fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* look: a regular file from where it stands, or a stream. */
static int
look(struct tool_input *in)
{
    enum { PIPE_BYTES = 1 << 20 };
    struct stat st;
    off_t at;

    if (fstat(in->fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISREG(st.st_mode) && (at = lseek(in->fd, 0, SEEK_CUR)) >= 0) {
        in->from = (uint64_t)at;
        in->size = st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
        in->known_bytes = in->size;
        (void)posix_fadvise(in->fd, at, 0, POSIX_FADV_SEQUENTIAL);
        return 0;
    }
    (void)fcntl(in->fd, F_SETPIPE_SZ, PIPE_BYTES); /* if it is one */
    in->size = STAGE_STREAM;
    in->waits.wake_fd = eventfd(0, EFD_CLOEXEC);
    return in->waits.wake_fd < 0 ? -errno : 0;
}

/* read_head: the first bytes; those of a stream are given again by its stage. */
static int
read_head(struct tool_input *in)
{
    const struct stage_head none = {.len = 0};
    struct stage *s = stage_file(in->fd, in->from, in->size, &none, &in->waits);
    size_t got = 1;
    int r = s == NULL ? -ENOMEM : 0;

    while (r == 0 && got > 0 && in->head.len < STAGE_HEAD_BYTES) {
        r = stage_read(s, in->head.bytes + in->head.len, STAGE_HEAD_BYTES - in->head.len, &got);
        in->head.len += got;
    }
    stage_close(s);
    return r;
}

/* refused: err for a form that is not read. */
static int
refused(const struct tool_input *in, struct rdb_error *err)
{
    struct rdb_error e = {.within = ""};

    if (form_of(&in->head, &e.offset, e.text, sizeof e.text) != FORM_REFUSED)
        return 0;
    *err = e;
    return -EINVAL;
}

/* ---- its bytes, unpacked ---- */

static struct stage *
unpack(struct stage *s, enum form form)
{
    bool in_envelope = form == FORM_LZ4_ENVELOPE || form == FORM_ZSTD_ENVELOPE;

    switch (form) {
    case FORM_LZ4:
    case FORM_LZ4_ENVELOPE:
        return stage_lz4(s, in_envelope);
    case FORM_ZSTD:
    case FORM_ZSTD_ENVELOPE:
        return stage_zstd(s, in_envelope);
    case FORM_GZIP:
        return stage_gzip(s);
    case FORM_PLAIN:
    case FORM_REFUSED:
        break;
    }
    never("a form that is not unpacked");
}

/* note_form: for tool_input_form(): what is in it stands before what it is in. */
static void
note_form(struct tool_input *in, enum form form, unsigned depth)
{
    char outer[sizeof in->form];

    memcpy(outer, in->form, sizeof outer);
    if (depth == 0)
        snprintf(in->form, sizeof in->form, "%s", form_name(form));
    else
        snprintf(in->form, sizeof in->form, "%s, in %.30s", form_name(form), outer);
}

/* open_stages: from the file to the RDB in it.  NULL: no memory. */
static struct stage *
open_stages(struct tool_input *in)
{
    struct stage *s = stage_file(in->fd, in->from, in->size, &in->head, &in->waits);
    struct stage_head head = in->head;
    char why[128];
    uint64_t at;

    in->is_packed = in->has_sums = false;
    for (unsigned depth = 0; s != NULL && depth < FORMS_MOST; depth++) {
        enum form form = form_of(&head, &at, why, sizeof why);

        if (form == FORM_REFUSED) { /* of the file itself: reported when it was opened */
            s->error = stage_damaged(s, "%s", why);
            return s;
        }
        if (form != FORM_PLAIN || depth == 0)
            note_form(in, form, depth);
        if (form == FORM_PLAIN)
            return s;
        in->is_packed = true;
        in->has_sums = in->has_sums || form_has_sums(form, &head);
        if ((s = unpack(s, form)) != NULL)
            s = stage_peek(s, &head);
    }
    return s;
}

/* make_tape: of all that comes, unpacked. */
static int
make_tape(struct tool_input *in, struct rdb_error *err)
{
    struct stage *s = open_stages(in);
    int r = s == NULL ? -ENOMEM : tape_open(&in->tape, s);

    if (r == 0 || s == NULL)
        return r;
    *err = (struct rdb_error){.within = ""};
    snprintf(err->text, sizeof err->text,
             "cannot make a temporary file: %s: %s (TMPDIR names another directory)",
             tool_spill_dir(), strerror(-r));
    return r;
}

/* has_tape: by it, and not by its name, the input is read. */
static bool
has_tape(const struct tool_input *in)
{
    return in->tape.live != NULL;
}

/* with_thread: not for a regular file that is plain: the system reads that ahead by itself, and a
 * thread that only copies gains nothing (measured: 1 GB in 0.63 s with one, 0.61 s without). */
static bool
with_thread(const struct tool_input *in)
{
    if (has_tape(in))
        return !tape_is_whole(&in->tape);
    return in->is_packed || in->size == STAGE_STREAM;
}

int
tool_input_source(struct tool_input *in, struct rdb_source **ret)
{
    struct stage *top;
    struct ahead *a;
    int r;

    must(has_tape(in) || in->size != STAGE_STREAM || !in->was_read);
    in->was_read = true;
    if (has_tape(in) && in->size == STAGE_STREAM)
        in->known_bytes = tape_is_whole(&in->tape) ? in->tape.size : 0;
    top = has_tape(in) ? tape_reader(&in->tape) : open_stages(in);
    if (top == NULL)
        return -ENOMEM;
    if ((r = ahead_open(top, in->size == STAGE_STREAM ? &in->waits : NULL, with_thread(in), &a)) !=
        0)
        return r;
    r = rdb_source_reader(&ahead_reader, a, tool_input_size(in), in->is_packed, in->has_sums, ret);
    if (r != 0)
        ahead_reader.close(a);
    return r;
}

int
tool_input_flat(struct tool_input *in, int *ret_fd, uint64_t *ret_size, struct rdb_error *err)
{
    bool is_plain = in->size != STAGE_STREAM && in->from == 0 &&
                    form_of(&in->head, &(uint64_t){0}, (char[128]){""}, 128) == FORM_PLAIN;
    int r;

    if (is_plain) {
        *ret_fd = in->fd;
        *ret_size = in->size;
        return 0;
    }
    if (!has_tape(in) && (r = make_tape(in, err)) != 0)
        return r;
    r = tape_finish(&in->tape);
    *ret_fd = in->tape.fd;
    *ret_size = in->tape.size;
    if (r == 0)
        return 0;
    *err = (struct rdb_error){.within = "", .offset = stage_place(in->tape.live)};
    if (r == -EBADMSG)
        snprintf(err->text, sizeof err->text, "%s", stage_wrong(in->tape.live));
    else if (in->tape.live->error == 0)
        snprintf(err->text, sizeof err->text,
                 "cannot unpack it into a temporary file: %s: %s (TMPDIR names another directory)",
                 tool_spill_dir(), strerror(-r));
    return r;
}

/* ---- opening and closing ---- */

int
tool_input_open(const char *path, bool again, struct tool_input **ret, struct rdb_error *err)
{
    struct tool_input *in = fault_point(FAULT_load_alloc) ? NULL : calloc(1, sizeof *in);
    int r;

    *err = (struct rdb_error){.within = ""};
    if (in == NULL)
        return -ENOMEM;
    in->waits.wake_fd = -1;
    if ((r = in->fd = open_path(path)) >= 0 && (r = look(in)) == 0 && (r = read_head(in)) == 0 &&
        (r = refused(in, err)) == 0 && again && in->size == STAGE_STREAM)
        r = make_tape(in, err);
    if (r < 0)
        tool_input_close(in);
    else
        *ret = in;
    return r < 0 ? r : 0;
}

void
tool_input_close(struct tool_input *in)
{
    tape_close(&in->tape);
    if (in->fd >= 0)
        close(in->fd);
    if (in->waits.wake_fd >= 0)
        close(in->waits.wake_fd);
    free(in);
}

uint64_t
tool_input_size(const struct tool_input *in)
{
    return in->known_bytes;
}

const char *
tool_input_form(const struct tool_input *in)
{
    return in->form;
}
