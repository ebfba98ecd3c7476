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

/* What was unpacked into a temporary file: of `size` bytes, and what ended it. */
struct flat {
    int fd; /* [owned] -1: none */
    uint64_t size;
    int error; /* 0: the end */
    char wrong[128];
    uint64_t place;
};

struct tool_input {
    int fd;         /* [owned] */
    int wake_fd;    /* [owned] of a stream; -1: none */
    uint64_t from;  /* of a regular file: where it stood when it was given to us */
    uint64_t size;  /* STAGE_STREAM: a stream */
    bool was_read;  /* a stream, which comes once */
    bool is_packed; /* known from the first source on, as the next two */
    bool has_sums;
    char form[64];
    struct stage_head head;
    struct flat flat;
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
        (void)posix_fadvise(in->fd, at, 0, POSIX_FADV_SEQUENTIAL);
        return 0;
    }
    (void)fcntl(in->fd, F_SETPIPE_SZ, PIPE_BYTES); /* if it is one */
    in->size = STAGE_STREAM;
    in->wake_fd = eventfd(0, EFD_CLOEXEC);
    return in->wake_fd < 0 ? -errno : 0;
}

/* read_head: the first bytes; those of a stream are given again by its stage. */
static int
read_head(struct tool_input *in)
{
    const struct stage_head none = {.len = 0};
    struct stage *s = stage_file(in->fd, in->from, in->size, &none, in->wake_fd);
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
    struct stage *s = stage_file(in->fd, in->from, in->size, &in->head, in->wake_fd);
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

/* flat_stage: what was unpacked before, once more. */
static struct stage *
flat_stage(struct tool_input *in)
{
    const struct stage_head none = {.len = 0};
    struct stage *s = stage_file(in->flat.fd, 0, in->flat.size, &none, -1);

    if (s != NULL && in->flat.error != 0)
        stage_cut(s, in->flat.error, in->flat.wrong, in->flat.place);
    return s;
}

/* with_thread: not for a regular file that is plain: the system reads that ahead by itself, and a
 * thread that only copies gains nothing (measured: 1 GB in 0.63 s with one, 0.61 s without). */
static bool
with_thread(const struct tool_input *in)
{
    return in->flat.fd < 0 && (in->is_packed || in->size == STAGE_STREAM);
}

int
tool_input_source(struct tool_input *in, struct rdb_source **ret)
{
    struct stage *top;
    struct ahead *a;
    int r;

    must(in->flat.fd >= 0 || in->size != STAGE_STREAM || !in->was_read);
    in->was_read = true;
    top = in->flat.fd >= 0 ? flat_stage(in) : open_stages(in);
    if (top == NULL)
        return -ENOMEM;
    if ((r = ahead_open(top, in->flat.fd >= 0 ? -1 : in->wake_fd, with_thread(in), &a)) != 0)
        return r;
    r = rdb_source_reader(&ahead_reader, a, tool_input_size(in), in->is_packed, in->has_sums, ret);
    if (r != 0)
        ahead_reader.close(a);
    return r;
}

/* ---- the temporary file ---- */

static int
spill_all(struct stage *s, struct flat *flat, uint8_t *buffer, size_t room)
{
    size_t got = 1;
    int r;

    while (got > 0) {
        if ((flat->error = stage_read(s, buffer, room, &got)) != 0) {
            snprintf(flat->wrong, sizeof flat->wrong, "%s", stage_wrong(s));
            break;
        }
        if ((r = tool_spill_write(flat->fd, buffer, got, flat->size)) != 0)
            return r;
        flat->size += got;
    }
    flat->place = stage_place(s);
    return 0;
}

/* cannot_spill: where, and that it can be somewhere else. */
static int
cannot_spill(struct rdb_error *err, int error)
{
    *err = (struct rdb_error){.within = ""};
    snprintf(err->text, sizeof err->text,
             "cannot unpack it into a temporary file: %s: %s (TMPDIR names another directory)",
             tool_spill_dir(), strerror(-error));
    return error;
}

/* make_flat: all of it, as far as it can be read; what ends it too early is no error here. */
static int
make_flat(struct tool_input *in, struct rdb_error *err)
{
    enum { BUFFER_BYTES = 512 * 1024 };
    struct flat flat = {.fd = tool_spill_open()};
    uint8_t *buffer = NULL;
    struct stage *s = NULL;
    int r;

    if (flat.fd < 0)
        return cannot_spill(err, flat.fd);
    buffer = malloc(BUFFER_BYTES);
    s = open_stages(in);
    in->was_read = true;
    if (buffer == NULL || s == NULL)
        r = -ENOMEM;
    else if ((r = spill_all(s, &flat, buffer, BUFFER_BYTES)) != 0)
        cannot_spill(err, r);
    free(buffer);
    if (s != NULL)
        stage_close(s);
    if (r == 0)
        in->flat = flat;
    else
        close(flat.fd);
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
    if (in->flat.fd < 0 && (r = make_flat(in, err)) != 0)
        return r;
    *ret_fd = in->flat.fd;
    *ret_size = in->flat.size;
    if (in->flat.error == 0)
        return 0;
    *err = (struct rdb_error){.offset = in->flat.place, .within = ""};
    snprintf(err->text, sizeof err->text, "%s", in->flat.wrong);
    return in->flat.error;
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
    in->wake_fd = in->flat.fd = -1;
    if ((r = in->fd = open_path(path)) >= 0 && (r = look(in)) == 0 && (r = read_head(in)) == 0 &&
        (r = refused(in, err)) == 0 && again && in->size == STAGE_STREAM)
        r = make_flat(in, err);
    if (r < 0)
        tool_input_close(in);
    else
        *ret = in;
    return r < 0 ? r : 0;
}

void
tool_input_close(struct tool_input *in)
{
    if (in->fd >= 0)
        close(in->fd);
    if (in->wake_fd >= 0)
        close(in->wake_fd);
    if (in->flat.fd >= 0)
        close(in->flat.fd);
    free(in);
}

uint64_t
tool_input_size(const struct tool_input *in)
{
    return in->size != STAGE_STREAM ? in->size : in->flat.fd >= 0 ? in->flat.size : 0;
}

const char *
tool_input_form(const struct tool_input *in)
{
    return in->form;
}
