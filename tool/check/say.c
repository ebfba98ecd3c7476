/* tool/check/say.c - what check says, for people.  The contract is in check_impl.h. */
#include <errno.h>
#include <unistd.h>

#include "tool/check/check_impl.h"

/* say_damaged: and how much is good before that; to a person what to do next, too. */
static void
say_damaged(struct check *c)
{
    struct rdb_error *e = &c->run.error;

    if (c->version == 0 || e->text[0] == '\0') {
        tool_run_report(&c->run, -EIO);
        return;
    }
    fprintf(stderr, "stillframe-rdb: %s: byte %llu%s: %s", c->run.path,
            (unsigned long long)e->offset, e->within, e->text);
    if (e->key[0] != '\0')
        fprintf(stderr, " (key \"%s\")", e->key);
    fprintf(stderr, "; %s key%s before it %s good\n", tool_count(c->keys), c->keys == 1 ? "" : "s",
            c->keys == 1 ? "is" : "are");
    if (!c->options->quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "Try: stillframe-rdb salvage %s OUT, which saves what is whole\n",
                c->run.path);
}

void
check_say_errors(struct check *c)
{
    if (c->result == CHECK_DAMAGED)
        say_damaged(c);
    tool_unknown_report(&c->unknown, &c->run);
}

static void
say_sound(const struct check *c)
{
    static const char *const crc_text[] = {[RDB_CRC_NONE] = "too old for a checksum",
                                           [RDB_CRC_ZERO] = "written without checksum",
                                           [RDB_CRC_UNCHECKED] = "checksum not looked at",
                                           [RDB_CRC_GOOD] = "checksum good",
                                           [RDB_CRC_FRAME] = "the frame's checksums good"};
    char form[128] = "", unknown[64] = "";

    if (c->run.is_packed)
        snprintf(form, sizeof form, " as %s (%s without)", c->run.form,
                 tool_size(c->run.rdb_bytes));
    if (c->unknown.total > 0)
        snprintf(unknown, sizeof unknown, ", %s thing%s not read", tool_count(c->unknown.total),
                 c->unknown.total == 1 ? "" : "s");
    printf("%s: %s: RDB %d, %s key%s, %s%s, %s%s%s\n", c->run.path,
           c->result == CHECK_SOUND ? "sound" : "can be loaded, but see what was found", c->version,
           tool_count(c->keys), c->keys == 1 ? "" : "s",
           tool_size(c->run.size_bytes > 0 ? c->run.size_bytes : c->run.rdb_bytes), form,
           crc_text[c->crc], unknown, c->options->quick ? ", not searched for duplicates" : "");
}

static void
say_loads(const struct check *c)
{
    for (unsigned i = 0; i < c->loads.count; i++) {
        struct loads_verdict v =
            loads_verdict(&c->loads, i, c->run.form, c->result < CHECK_DAMAGED);

        printf("%s: %s: %s%s%s\n", c->run.path, v.server, v.word,
               v.why[0] == '\0' ? ""
               : v.is_yes       ? ", but "
                                : ": ",
               v.why);
    }
}

static void
say_file(const struct check *c, bool is_first)
{
    (void)is_first;
    if (c->result == CHECK_UNREADABLE)
        return;
    if (c->result < CHECK_DAMAGED && !c->options->quiet)
        say_sound(c);
    say_loads(c);
}

/* say_all: of several files. */
static void
say_all(const struct check_sum *sum, const struct tool_options *o)
{
    static const struct {
        enum check_result result;
        const char *text;
    } of[] = {{CHECK_SOUND, "sound"},
              {CHECK_FOUND, "to be loaded, but see what was found"},
              {CHECK_DAMAGED, "damaged or not read"},
              {CHECK_UNREADABLE, "not to be opened"}};

    if (sum->files < 2 || o->quiet)
        return;
    printf("%s files, %s keys:", tool_count(sum->files), tool_count(sum->keys));
    for (unsigned i = 0, said = 0; i < sizeof of / sizeof *of; i++)
        if (sum->of[of[i].result] > 0)
            printf("%s %s %s", said++ == 0 ? "" : ",", tool_count(sum->of[of[i].result]),
                   of[i].text);
    putchar('\n');
}

const struct say say_text = {.file = say_file, .end = say_all};
