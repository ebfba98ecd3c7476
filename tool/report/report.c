/* tool/report/report.c - stillframe-rdb report. */
#include "tool/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "mm/base/must.h"

enum { TOP = 100, NONCE_BYTES = 16 };

struct report {
    struct memory_survey survey; /* first */
    struct tool_out out;
    char nonce[2 * NONCE_BYTES + 1];
};

/* make_nonce: what a script must know to be run: none that a key's name brings along does. */
static int
make_nonce(struct report *r)
{
    uint8_t bytes[NONCE_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return -EIO;
    for (unsigned i = 0; i < NONCE_BYTES; i++)
        snprintf(r->nonce + 2 * (size_t)i, 3, "%02x", bytes[i]);
    return 0;
}

static void
put_policy(struct report *r)
{
    tool_out_format(&r->out,
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "style-src 'unsafe-inline'; script-src 'nonce-%s'; img-src data:; "
                    "base-uri 'none'; form-action 'none'\">",
                    r->nonce);
}

static void
put_style(struct report *r)
{
    tool_out_put(&r->out, report_css, report_css_bytes);
}

static void
put_script(struct report *r)
{
    tool_out_put(&r->out, report_js, report_js_bytes);
}

static void
put_nonce(struct report *r)
{
    tool_out_format(&r->out, " nonce=\"%s\"", r->nonce);
}

static void
put_data(struct report *r)
{
    report_data(&r->out, &r->survey);
}

static void
put_plain(struct report *r)
{
    report_plain(&r->out, &r->survey);
}

/* In the order of report.html. */
static const struct {
    const char *mark;
    void (*put)(struct report *r);
} parts[] = {{"@POLICY@", put_policy}, {"@STYLE@", put_style}, {"@STATIC@", put_plain},
             {"@DATA@", put_data},     {"@NONCE@", put_nonce}, {"@SCRIPT@", put_script}};

static void
put_page(struct report *r)
{
    const char *at = report_html, *end = at + report_html_bytes, *mark;

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        mark = memmem(at, (size_t)(end - at), parts[i].mark, strlen(parts[i].mark));
        must(mark != NULL);
        tool_out_put(&r->out, at, (size_t)(mark - at));
        parts[i].put(r);
        at = mark + strlen(parts[i].mark);
    }
    tool_out_put(&r->out, at, (size_t)(end - at));
}

/* run: the page appears also when a file was damaged: of what came before. */
static int
run(struct report *r, int count, char **files, const struct tool_options *o)
{
    int status, closed;

    if ((status = tool_out_open(&r->out, o->output, o->force)) != TOOL_OK)
        return status;
    status = survey_read(&r->survey, count, files);
    if (r->survey.total.keys > 0 || status == TOOL_OK)
        put_page(r);
    closed = tool_out_close(&r->out, r->survey.total.keys > 0 || status == TOOL_OK);
    return status != TOOL_OK ? status : closed;
}

int
tool_report(int count, char **files, const struct tool_options *o)
{
    struct survey_wish wish = {.prefixes = true};
    struct report *r;
    int status, error;

    if (o->output == NULL && isatty(STDOUT_FILENO) == 1) {
        fputs("stillframe-rdb: report: a page for a browser: name a file, -o report.html\n",
              stderr);
        return TOOL_USAGE;
    }
    r = calloc(1, sizeof *r);
    for (unsigned m = 0; m < MEMORY_SIZES; m++)
        wish.top[m] = TOP;
    if (r == NULL || (error = make_nonce(r)) != 0) {
        fprintf(stderr, "stillframe-rdb: %s\n", strerror(r == NULL ? ENOMEM : -error));
        free(r);
        return TOOL_INVALID;
    }
    if ((status = survey_init(&r->survey, o, &wish)) == TOOL_OK)
        status = run(r, count, files, o);
    survey_fini(&r->survey);
    free(r);
    return status;
}
