/* server/config/config_file.c - the configuration at start: a file in Redis's syntax, then the
 * command line. */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/log.h"
#include "mm/base/must.h"
#include "mm/base/slice.h"
#include "mm/base/text.h"
#include "mm/base/version.h"
#include "server/config/config_impl.h"

enum { LINE_WORDS_MAX = 256, INCLUDE_DEPTH_MAX = 16, FILE_MAX_BYTES = 64 * 1024 * 1024 };

static char absolute_path[PATH_MAX];
/* where the process was started: what relative names in files belong to */
static char start_dir[PATH_MAX];
static struct text without_effect; /* names, as the start met them */

/* One start's reading, or a trial of the next one's. */
struct reading {
    struct text *why;
    struct config *into; /* a trial: not the configuration that holds */
    bool save_given;     /* a line has set save points: the list grows from then on */
    bool has_tried;      /* a directive has been tried out */
    int depth;
};

static int read_file(struct reading *rd, const char *path);

static bool
is_trial(const struct reading *rd)
{
    return rd->into != &config;
}

static int
report(struct reading *rd, const char *where, struct slice line, const char *reason)
{
    if (is_trial(rd)) {
        text_addf(rd->why, "the next start would refuse it: %s: %s", where, reason);
        return -EINVAL;
    }
    text_addf(rd->why, "\n*** FATAL CONFIG FILE ERROR (Stillframe %s) ***\n%s\n>>> '",
              STILLFRAME_VERSION, where);
    text_add_bytes(rd->why, line.ptr, line.len);
    text_addf(rd->why, "'\n%s\n", reason);
    return -EINVAL;
}

/* path_of: a word as a name that can be opened; NULL, or what is wrong.  Later than at the start
 * the process is somewhere else. */
static const char *
path_of(const struct reading *rd, struct slice word, char *ret, size_t room)
{
    bool joined = is_trial(rd) && word.len > 0 && word.ptr[0] != '/';
    size_t head = joined ? strlen(start_dir) + 1 : 0;

    if (memchr(word.ptr, '\0', word.len) != NULL)
        return "argument holds a zero byte";
    if (head + word.len >= room)
        return config_too_long("path", room - 1);
    if (joined)
        snprintf(ret, room, "%s/", start_dir);
    memcpy(ret + head, word.ptr, word.len);
    ret[head + word.len] = '\0';
    return NULL;
}

/* include: one file, or all that match a pattern, in the order of their names (none may, then). */
static int
read_files(struct reading *rd, const char *pattern)
{
    glob_t found;
    int r = 0;

    if (strpbrk(pattern, "*?[") == NULL)
        return read_file(rd, pattern);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
        r = read_file(rd, found.gl_pathv[i]);
    globfree(&found);
    return r;
}

/* include: NULL: read; else what is wrong.  *ret_reported: the report is already written. */
static const char *
include(struct reading *rd, struct slice word, bool *ret_reported)
{
    char path[PATH_MAX];
    const char *why = path_of(rd, word, path, sizeof path);

    if (why != NULL)
        return why;
    if (rd->depth >= INCLUDE_DEPTH_MAX)
        return "include is nested too deeply";
    *ret_reported = read_files(rd, path) < 0;
    return *ret_reported ? "included file" : NULL;
}

/* What Redis itself reads over by now. */
static bool
is_obsolete(struct slice name)
{
    return slice_is_word(name, "list-max-ziplist-entries") ||
           slice_is_word(name, "list-max-ziplist-value") ||
           slice_is_word(name, "lua-replicate-commands");
}

static struct config_directive *directives;

void
config_add_directive(struct config_directive *d)
{
    must(d->name != NULL && d->words >= CONFIG_ANY_WORDS && d->carry_out != NULL);
    for (const struct config_directive *at = directives; at != NULL; at = at->next)
        if (at == d)
            return;
    d->next = directives;
    directives = d;
}

static const struct config_directive *
find_directive(struct slice name, int words)
{
    const struct config_directive *d = directives;

    while (d != NULL && ((d->words != words && (d->words != CONFIG_ANY_WORDS || words == 0)) ||
                         !slice_is_word(name, d->name)))
        d = d->next;
    return d;
}

const struct config_directive *
config_find_written(struct slice name)
{
    const struct config_directive *d = directives;

    while (d != NULL && (d->write == NULL || !slice_is_word(name, d->name)))
        d = d->next;
    return d;
}

void
config_each_written(void (*fn)(void *ctx, const struct config_directive *d), void *ctx)
{
    for (const struct config_directive *d = directives; d != NULL; d = d->next)
        if (d->write != NULL)
            fn(ctx, d);
}

static const char *
carry_out(struct reading *rd, const struct config_directive *d, const struct slice *words,
          int count)
{
    bool is_first = !rd->has_tried;

    if (!is_trial(rd))
        return d->carry_out(words, count);
    if (d->try_out == NULL)
        return NULL;
    rd->has_tried = true;
    return d->try_out(words, count, is_first);
}

/* One directive; NULL: taken; else what is wrong.  *ret_reported: the report is already written. */
static const char *
set_directive(struct reading *rd, const struct slice *words, int count, bool *ret_reported)
{
    const struct config_directive *d;
    const struct option *o;
    const char *why;
    char path[PATH_MAX];
    struct slice dir = {path, 0};

    *ret_reported = false;
    if (slice_is_word(words[0], "include") && count == 2)
        return include(rd, words[1], ret_reported);
    if ((d = find_directive(words[0], count - 1)) != NULL)
        return carry_out(rd, d, words + 1, count - 1);
    if (is_obsolete(words[0]) && count == 2)
        return NULL;
    if ((o = option_find(words[0])) == NULL)
        return "Bad directive or wrong number of arguments";
    if (is_trial(rd) && o->type == &option_directory && count == 2) {
        if ((why = path_of(rd, words[1], path, sizeof path)) != NULL)
            return why;
        dir.len = strlen(path);
    }
    if (!option_set(o, rd->into, dir.len > 0 ? &dir : words + 1, count - 1,
                    o->type == &option_save && rd->save_given, &why))
        return why;
    if (o->type == &option_save)
        rd->save_given = true;
    if (o->no_effect != NULL && !is_trial(rd))
        text_addf(&without_effect, "%s%s", without_effect.len > 0 ? ", " : "", o->name);
    return NULL;
}

static struct slice
trim(const char *p, const char *end)
{
    while (p < end && isspace((unsigned char)*p))
        p++;
    while (end > p && isspace((unsigned char)end[-1]))
        end--;
    return (struct slice){p, (size_t)(end - p)};
}

static int
read_line(struct reading *rd, const char *name, int number, struct slice line, char *scratch)
{
    struct slice words[LINE_WORDS_MAX];
    char where[PATH_MAX + 64];
    const char *reason;
    bool reported = false;
    int n = text_split_words(line.ptr, line.len, scratch, words, LINE_WORDS_MAX);

    if (n == 0)
        return 0;
    if (n < 0)
        reason = n == -1 ? "Unbalanced quotes in configuration line" : "Too many words in one line";
    else
        reason = set_directive(rd, words, n, &reported);
    if (reason == NULL)
        return 0;
    if (reported) {
        if (!is_trial(rd))
            text_addf(rd->why, "It is included by %s, at line %d\n", name, number);
        return -EINVAL;
    }
    snprintf(where, sizeof where, "Reading the configuration file %s, at line %d", name, number);
    return report(rd, where, line, reason);
}

static int
read_lines(struct reading *rd, const char *name, const char *bytes, size_t len)
{
    const char *p = bytes, *end = bytes + len;
    char *scratch = malloc(len + 1);
    int r = 0;

    if (scratch == NULL)
        return report(rd, name, SLICE(""), strerror(ENOMEM));
    for (int number = 1; r == 0 && p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)),
                   *stop = newline != NULL ? newline : end;
        struct slice line = trim(p, stop);
        if (line.len > 0 && line.ptr[0] != '#')
            r = read_line(rd, name, number, line, scratch);
        p = stop + 1;
    }
    free(scratch);
    return r;
}

static int
read_stream(FILE *f, struct text *ret)
{
    char buf[16384];
    size_t n;

    while ((n = fread(buf, 1, sizeof buf, f)) > 0) {
        text_add_bytes(ret, buf, n);
        if (ret->failed)
            return -ENOMEM;
        if (ret->len > FILE_MAX_BYTES)
            return -EFBIG;
    }
    if (!ferror(f))
        return 0;
    return errno != 0 ? -errno : -EIO;
}

int
config_read_whole(const char *path, struct text *ret)
{
    FILE *f = fopen(path, "re");
    int r = f == NULL ? -errno : read_stream(f, ret);

    if (f != NULL)
        fclose(f);
    return r;
}

static int
read_file(struct reading *rd, const char *path)
{
    bool standard_input = strcmp(path, "-") == 0 && !is_trial(rd);
    struct text t = {0};
    int r = standard_input ? read_stream(stdin, &t) : config_read_whole(path, &t);

    if (r < 0) {
        text_addf(rd->why,
                  is_trial(rd) ? "can't open config file '%s': %s"
                               : "Fatal error, can't open config file '%s': %s\n",
                  path, strerror(-r));
    } else {
        rd->depth++;
        r = read_lines(rd, path, text_str(&t), t.len);
        rd->depth--;
    }
    text_free(&t);
    return r;
}

/* ---- the command line ---- */

static bool
begins_option(const char *word)
{
    return strncmp(word, "--", 2) == 0;
}

/* take_option: the option at argv[0] as the words of a line.  NULL, or what is wrong; *ret_used: of
 * argv.
 *
 *   --name value ...      what follows up to the next word that begins with two dashes; the first
 *   value may
 *                         begin with them as well
 *   "--name value ..."    the same in one word, which is split as a line of the file is
 *   --save                without a value, or with an option behind it: no save points */
static const char *
take_option(int argc, char *const argv[], char *scratch, struct slice *words, int *ret_count,
            int *ret_used)
{
    int n, used = 1;
    bool needs_value;

    words[0] = (struct slice){argv[0], strlen(argv[0])};
    *ret_count = *ret_used = 1;
    if (!begins_option(argv[0]))
        return "Not an option: options begin with two dashes";
    if ((n = text_split_words(argv[0] + 2, strlen(argv[0] + 2), scratch, words, LINE_WORDS_MAX)) <
        1) {
        words[0] = (struct slice){argv[0], strlen(argv[0])};
        return n == 0 ? "Not an option: options begin with two dashes"
                      : "Unbalanced quotes, or too many words";
    }
    needs_value = n == 1 && !slice_is_word(words[0], "save");
    for (; used < argc && (needs_value || !begins_option(argv[used])); used++) {
        if (n == LINE_WORDS_MAX)
            return "Too many words";
        words[n++] = (struct slice){argv[used], strlen(argv[used])};
        needs_value = false;
    }
    *ret_count = n;
    *ret_used = used;
    return NULL;
}

static int
report_words(struct reading *rd, const struct slice *words, int count, const char *reason)
{
    struct text line = {0};
    int r;

    for (int i = 0; i < count; i++) {
        if (i > 0)
            text_add(&line, " ");
        if (i > 0)
            text_add_quoted(&line, words[i].ptr, words[i].len);
        else
            text_add_bytes(&line, words[i].ptr, words[i].len);
    }
    r = report(rd, "Reading the command line", (struct slice){text_str(&line), line.len}, reason);
    text_free(&line);
    return r;
}

static int
read_command_line(struct reading *rd, int argc, char *const argv[])
{
    struct slice words[LINE_WORDS_MAX];
    int r = 0;

    for (int i = 0, n, used; i < argc && r == 0; i += used) {
        char *scratch = malloc(strlen(argv[i]) + 1);
        bool reported = false;
        const char *reason = scratch == NULL
                                 ? strerror(ENOMEM)
                                 : take_option(argc - i, argv + i, scratch, words, &n, &used);

        if (scratch == NULL)
            return report(rd, "Reading the command line", SLICE(""), reason);
        if (reason == NULL)
            reason = set_directive(rd, words, n, &reported);
        if (reason != NULL)
            r = reported ? -EINVAL : report_words(rd, words, n, reason);
        free(scratch);
    }
    return r;
}

int
config_load(const char *path, int argc, char *const argv[], struct text *why)
{
    struct reading rd = {.why = why, .into = &config};

    absolute_path[0] = '\0';
    if (getcwd(start_dir, sizeof start_dir) == NULL)
        start_dir[0] = '\0';
    if (path != NULL)
        config_restore_file(path);
    if (path != NULL && read_file(&rd, path) < 0)
        return -EINVAL;
    if (path != NULL && realpath(path, absolute_path) == NULL)
        absolute_path[0] = '\0';
    if (argc > 0 && strcmp(argv[argc - 1], "-") == 0) {
        argc--;
        if (read_file(&rd, "-") < 0)
            return -EINVAL;
    }
    return read_command_line(&rd, argc, argv);
}

int
config_load_text(const char *name, const char *bytes, size_t len, struct text *why)
{
    struct reading rd = {.why = why, .into = &config};

    return read_lines(&rd, name, bytes, len);
}

int
config_try_text(const char *name, const char *bytes, size_t len, struct config *into,
                struct text *why)
{
    struct reading rd = {.why = why, .into = into};

    return read_lines(&rd, name, bytes, len);
}

void
config_log_no_effect(void)
{
    enum { LINE_BYTES = 800 }; /* a line of the log is cut somewhere above that */
    const char *p = text_str(&without_effect);

    while (*p != '\0') {
        size_t n = strlen(p), rest = 0;
        if (n > LINE_BYTES) {
            for (n = LINE_BYTES; p[n] != ' '; n--)
                continue; /* names are short */
            n--;          /* the comma */
            rest = 2;
        }
        log_line(LOG_NOTICE,
                 "Parameters without effect here (docs/configuration.md says why): %.*s", (int)n,
                 p);
        p += n + rest;
    }
    text_free(&without_effect);
}

const char *
config_file(void)
{
    return absolute_path;
}

static bool
change_directory(const struct config *next, const char **why)
{
    if (chdir(next->dir) == 0)
        return true;
    *why = strerror(errno);
    return false;
}

static bool
change_log_level(const struct config *next, const char **why)
{
    (void)why;
    log_set_level((enum log_level)next->log_level);
    return true;
}

int
config_start(struct text *why)
{
    struct reading rd = {.why = why, .into = &config};
    const char *reason;

    config_on_change("dir", change_directory);
    config_on_change("loglevel", change_log_level);
    change_log_level(&config, &reason);
    if (!change_directory(&config, &reason))
        return report(&rd, "Changing the working directory",
                      (struct slice){config.dir, strlen(config.dir)}, reason);
    return 0;
}
