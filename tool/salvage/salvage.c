/* tool/salvage/salvage.c - stillframe-rdb salvage. */
#include "tool/salvage/salvage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/base/out.h"
#include "tool/input/input.h"
#include "tool/salvage/report.h"
#include "tool/salvage/rescue.h"

struct salvage {
    const struct tool_options *options;
    const char *from;
    struct tool_run run;
    struct tool_input *input;
    struct rescue rescue;
    struct tool_out list; /* zeroed: none is wanted, or it is written */
};

static void
say(const struct salvage *s, const char *text)
{
    fprintf(stderr, "stillframe-rdb: %s: %s\n", s->from, text);
}

static int
fail(const struct salvage *s, const struct rdb_error *err, int error)
{
    say(s, err != NULL && err->text[0] != '\0' ? err->text : strerror(-error));
    return SALVAGE_NOTHING;
}

static int
write_list(struct salvage *s)
{
    int r;

    if (s->options->list == NULL)
        return TOOL_OK;
    if ((r = report_list(&s->rescue.scan, &s->list)) < 0)
        say(s, strerror(-r));
    return tool_out_close(&s->list, r == 0) == TOOL_OK && r == 0 ? TOOL_OK : TOOL_INVALID;
}

/* tell: on stderr; written: keys. */
static int
tell(struct salvage *s, uint64_t written)
{
    if (s->rescue.is_whole && s->rescue.scan.losses.count == 0) {
        if (!s->options->quiet)
            fprintf(stderr, "stillframe-rdb: %s: nothing is damaged: %s key%s written\n", s->from,
                    tool_count(written), written == 1 ? "" : "s");
        return 0;
    }
    return report_text(&s->rescue.scan, s->from, written);
}

static void
put(void *ctx, const void *bytes, size_t len)
{
    tool_out_put(ctx, bytes, len);
}

static bool
has_failed(void *ctx)
{
    return tool_out_failed(ctx);
}

/* save: what was found, into OUT. */
static int
save(struct salvage *s, struct tool_out *out)
{
    const struct write_to to = {put, has_failed, out};
    uint64_t written = rescue_keys(&s->rescue);
    int r;

    if (!s->rescue.is_whole && written == 0) {
        tell(s, 0);
        say(s, "no key could be saved: nothing is written");
        (void)tool_out_close(out, false);
        return write_list(s) == TOOL_OK ? SALVAGE_NOTHING : TOOL_INVALID;
    }
    if ((r = rescue_write(&s->rescue, &to)) < 0)
        say(s, strerror(-r));
    if (tool_out_close(out, r == 0) != TOOL_OK || r < 0)
        return SALVAGE_NOTHING;
    if (tell(s, written) < 0 || write_list(s) != TOOL_OK)
        return TOOL_INVALID;
    return s->rescue.is_whole ? TOOL_OK : TOOL_INVALID;
}

static int
run(struct salvage *s, struct tool_out *out)
{
    struct rescue *rescue = &s->rescue;
    uint64_t size = 0;
    const char *form;
    int fd = -1, r;

    if ((r = tool_input_open(s->from, true, &s->input, &rescue->packing)) < 0)
        return fail(s, &rescue->packing, r);
    r = tool_input_flat(s->input, &fd, &size, &rescue->packing);
    if (r < 0 && fd < 0)
        return fail(s, &rescue->packing, r);
    if (r == 0)
        rescue->packing.text[0] = '\0';
    form = tool_input_form(s->input); /* of what had to be unpacked; else it is not known yet */
    rescue->is_packed = form[0] != '\0' && strcmp(form, "plain") != 0;
    if ((r = rescue_init(rescue, fd, size)) < 0 || (r = rescue_look(rescue)) < 0) {
        if (r == -ENOTSUP)
            snprintf(rescue->packing.text, sizeof rescue->packing.text,
                     "an RDB of a version that is not read: nothing is written");
        return fail(s, r == -ENOTSUP ? &rescue->packing : NULL, r);
    }
    return save(s, out);
}

/* is_same_file: OUT would take the place of IN. */
static bool
is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static int
usage(const char *text)
{
    fprintf(stderr, "stillframe-rdb: %s\nTry: stillframe-rdb salvage --help\n", text);
    return TOOL_USAGE;
}

int
tool_salvage(int count, char **files, const struct tool_options *o)
{
    const char *to = count > 1 ? files[1] : o->output;
    struct salvage s = {
        .options = o,
        .from = files[0],
        .run = {.path = files[0], .quiet = o->quiet},
        .rescue = {.run = &s.run, .keep_doubtful = o->keep_doubtful, .no_search = o->no_search}};
    struct tool_out out;
    int status;

    if (to == NULL || (count > 1 && o->output != NULL))
        return usage("salvage IN OUT: there must be one OUT");
    if (o->list != NULL && strcmp(o->list, to) == 0)
        return usage("the list and the RDB cannot both go to the same place");
    if (is_same_file(files[0], to))
        return usage("OUT is IN, which is not changed");
    /* both before the work: it may be long */
    if (o->list != NULL && tool_out_open(&s.list, o->list, o->force) != TOOL_OK)
        return SALVAGE_NOTHING;
    if (tool_out_open(&out, to, o->force) != TOOL_OK) {
        (void)tool_out_close(&s.list, false);
        return SALVAGE_NOTHING;
    }
    status = run(&s, &out);
    (void)tool_out_close(&out, false);
    (void)tool_out_close(&s.list, false);
    rescue_fini(&s.rescue);
    if (s.input != NULL)
        tool_input_close(s.input);
    return status;
}
