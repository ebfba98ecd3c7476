/* tests/fuzz/fuzz_tool.c - any file to every command of stillframe-rdb, within this process.
 *
 * Input: a byte that chooses the command line (its lower six bits) and says whether the file's
 * checksum is put right (its highest bit), then the file.  With 0x40 two bytes stand before it, the
 * length of the first of two files: so the other one can be entirely another.  tests/fuzz/seeds.py
 * DIRECTORY tool writes some to begin with.
 *
 * Properties: an exit status that the command has, nothing left behind; what convert makes of a
 * sound file, and what salvage makes of any, is sound.  What the commands print goes nowhere (run
 * it with -close_fd_mask=3). */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mm/base/crc64.h"
#include "mm/base/must.h"
#include "tool/base/tool.h"
#include "tool/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__asan_default_options(void);

/* So that -rss_limit_mb can be near to what the tool itself may need. */
const char *
__asan_default_options(void)
{
    return "quarantine_size_mb=8:malloc_context_size=5";
}

/* The command lines: IN: the file; OTHER: another one, which is nearly the same, or (0x40) not at
 * all; PIPE: the file, from a pipe; OUT: a file that is not there. */
static const char *const lines[] = {
    "check IN",
    "check --skip-unknown --relaxed --loads-in=redis-5.0,redis-7.0,redis-8.0,valkey-9.2,stillframe IN",
    "check --quick IN",
    "info --skip-unknown IN",
    "info --format=json --match=*e* --ttl=any IN",
    "keys --skip-unknown IN",
    "keys --long --relaxed --format=csv IN",
    "keys --long --format=json --elements=1- --size=-1k IN",
    "get key:1 IN",
    "get --format=json --db=0,2 key:1 IN OTHER",
    "get --escapes \\x6b IN",
    "head --skip-unknown IN",
    "head --format=json --limit=3 --type=hash,stream,zset IN",
    "json --skip-unknown --relaxed IN",
    "json --binary=base64 --exclude=*1 IN OTHER",
    "ndjson --skip-unknown --encoding=listpack,hashtable IN",
    "csv --skip-unknown IN",
    "csv --binary=base64 --regex=^k IN",
    "resp --skip-unknown --relaxed IN",
    "resp --restore --replace --skip-unknown IN",
    "resp --rename=key=other --db-map=2=0 --for=redis-6.2 --expired=drop IN",
    "resp --restore --for=redis-7.0 --expired=persist IN",
    "aof --skip-unknown IN",
    "memory --skip-unknown IN",
    "memory --keys --format=csv IN",
    "memory --prefixes --depth=2 --format=json --redis=7.0 IN",
    "memory --pattern=([a-z]+) --by=largest --top=3 IN",
    "memory --sample=50 --allocator=system IN",
    "diff IN OTHER",
    "diff --full --skip-unknown IN OTHER",
    "diff --full --format=json OTHER IN",
    "diff --format=csv --full --relaxed IN IN",
    "report --skip-unknown IN",
    "convert --skip-unknown IN --output=OUT",
    "convert --to-version=9 --lossy IN --output=OUT",
    "convert --to-version=12 --compress=lzf IN --output=OUT",
    "convert --to-version=80 --compress=lz4 --relaxed IN --output=OUT",
    "convert --to-version=6 --compress=none --lossy --skip-unknown IN --output=OUT",
    "convert --to-version=11 --on-conflict=last IN OTHER --output=OUT",
    "convert --on-conflict=first --to-version=10 --match=k* IN OTHER --output=OUT",
    "salvage IN OUT",
    "salvage --keep-doubtful --list=- IN OUT",
    "salvage --no-search IN OUT",
    "check --relaxed PIPE",
    "diff --full PIPE OTHER",
    "memory --prefixes --sample=30 --seed=2 PIPE OTHER",
    "ndjson --size=3- --elements=1- --skip-unknown PIPE",
    "salvage PIPE OUT",
    "convert --to-version=7 --lossy --compress=lz4 --level=12 IN --output=OUT",
    "convert --to-version=8 --lossy --compress=lzf --relaxed IN --output=OUT",
    "convert --for=redis-7.2 --lossy --compress=none IN --output=OUT",
    "convert --for=valkey-9.0 --lossy --compress=lzf PIPE --output=OUT",
    "convert --compress=none --db-map=0=3 --ttl=any --skip-unknown IN --output=OUT",
    "convert --split=slot:2 --skip-unknown IN --output=OUT",
    "convert --split=db --skip-unknown IN OTHER --on-conflict=last --output=OUT",
    "convert --split=size:40 --to-version=10 --lossy IN --output=OUT",
    "report --sample=60 --redis=7.0 PIPE OTHER",
    "resp --restore --for=redis-5.0 --skip-unknown IN",
    "resp --restore --for=valkey-9.0 --replace IN",
    "aof --for=redis-7.4 PIPE",
    "keys --long --skip-unknown --idle=0- --ttl=past IN",
    "get --regex=. IN",
    "info --relaxed PIPE OTHER",
    "csv --relaxed --freq=0-200 PIPE",
};
enum {
    LINES = sizeof lines / sizeof *lines,
    WORDS = 16,
    MOST_BYTES = 60000 /* what a pipe holds */
};
static_assert(LINES <= 64, "six bits choose one");

static char in_path[320], other_path[64], pipe_path[64], out_path[128], out_dir[40];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    (void)argc;
    (void)argv;
    snprintf(out_dir, sizeof out_dir, "%s/stillframe-fuzz-XXXXXX", where);
    must(mkdtemp(out_dir) != NULL && setenv("TMPDIR", out_dir, 1) == 0);
    snprintf(out_path, sizeof out_path, "%s/out.rdb", out_dir);
    return 0;
}

/* ---- files ---- */

/* make_file: in memory, under a path. */
static int
make_file(const uint8_t *bytes, size_t len, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* make_pipe: all of it waits in the pipe: its descriptor. */
static int
make_pipe(const uint8_t *bytes, size_t len, char path[64])
{
    int fds[2];

    must(pipe2(fds, O_CLOEXEC) == 0 && write(fds[1], bytes, len) == (ssize_t)len);
    must(close(fds[1]) == 0);
    snprintf(path, 64, "/proc/self/fd/%d", fds[0]);
    return fds[0];
}

/* put_sum_right: of what ends like an RDB. */
static void
put_sum_right(uint8_t *bytes, size_t len)
{
    uint64_t crc;

    if (len < 9)
        return;
    bytes[len - 9] = 0xff;
    crc = crc64(0, bytes, len - 8);
    memcpy(bytes + len - 8, &crc, sizeof crc);
}

/* change: some letters become others: other names and values of the same lengths. */
static void
change(uint8_t *bytes, size_t len)
{
    for (size_t i = 9; i < len; i++)
        if (bytes[i] == 'v' || bytes[i] == '1')
            bytes[i]++;
}

/* ---- command lines ---- */

static const struct tool_command *
find_command(const char *name)
{
    for (unsigned i = 0; i < tool_command_count; i++)
        if (strcmp(tool_commands[i].name, name) == 0)
            return &tool_commands[i];
    never("a command that there is not");
}

/* set_option: "--name=text" or "--name", of the command's. */
static void
set_option(const struct tool_command *c, struct tool_options *o, char *word)
{
    char *text = strchr(word, '=');

    if (text != NULL)
        *text++ = '\0';
    for (unsigned i = 0; i < tool_option_count; i++) {
        const struct tool_option *t = &tool_options[i];

        if (strcmp(t->name, word + 2) != 0 || (t->group & c->groups) == 0)
            continue;
        must(tool_options_set(o, t, text == NULL ? "" : text));
        return;
    }
    never("an option that the command has not");
}

static char *
meant(char *word)
{
    return strcmp(word, "IN") == 0      ? in_path
           : strcmp(word, "OTHER") == 0 ? other_path
           : strcmp(word, "PIPE") == 0  ? pipe_path
           : strcmp(word, "OUT") == 0   ? out_path
                                        : word;
}

/* run_line: its exit status. */
static int
run_line(const char *line)
{
    char words[512], *files[WORDS], *state = NULL;
    const struct tool_command *c;
    struct tool_options o;
    int count = 0, status;

    must(strlen(line) < sizeof words);
    memcpy(words, line, strlen(line) + 1);
    c = find_command(strtok_r(words, " ", &state));
    tool_options_init(&o);
    for (char *w; (w = strtok_r(NULL, " ", &state)) != NULL;) {
        if (strcmp(w, "--output=OUT") == 0)
            o.output = out_path;
        else if (strncmp(w, "--", 2) == 0)
            set_option(c, &o, w);
        else
            files[count++] = meant(w);
        must(count < WORDS);
    }
    status = c->run(count, files, &o);
    tool_options_fini(&o);
    must(status >= 0 && status <= 3);
    (void)fflush(stdout);
    return status;
}

/* check_out: what was made, if anything was. */
static void
check_out(int status, bool was_sound, bool is_salvage)
{
    bool is_there = access(out_path, F_OK) == 0;

    must(is_there || status != TOOL_OK);
    if (is_there && (is_salvage || was_sound)) {
        memcpy(in_path, out_path, strlen(out_path) + 1);
        must(run_line(is_salvage ? "check --quick --skip-unknown --relaxed IN"
                                 : "check --skip-unknown --relaxed IN") == TOOL_OK);
    }
    if (is_there)
        must(unlink(out_path) == 0);
}

/* check_split: all parts are sound, and there only if the command has succeeded. */
static void
check_split(int status, bool was_sound)
{
    DIR *d = opendir(out_dir);

    must(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' && e->d_name[strspn(e->d_name, ".")] == '\0')
            continue;
        must(status == TOOL_OK && strncmp(e->d_name, "out.", 4) == 0);
        must(snprintf(in_path, sizeof in_path, "%s/%s", out_dir, e->d_name) < (int)sizeof in_path);
        must(!was_sound || run_line("check --skip-unknown --relaxed IN") == TOOL_OK);
        must(unlink(in_path) == 0);
    }
    must(closedir(d) == 0);
}

/* take_first: the first of two files, if the input has two. */
static size_t
take_first(bool has_two, const uint8_t **bytes, size_t *len)
{
    size_t first = *len;

    if (has_two && *len >= 2) {
        first = (size_t)((*bytes)[0] | (*bytes)[1] << 8);
        *bytes += 2;
        *len -= 2;
        first = first < *len ? first : *len;
    }
    return first;
}

/* run_and_check: one command line with the files that are there. */
static void
run_and_check(const char *line)
{
    bool is_split = strstr(line, "--split") != NULL, was_sound = false;
    int status;

    if (strncmp(line, "convert", 7) == 0)
        was_sound = run_line("check --skip-unknown --relaxed IN") == TOOL_OK &&
                    run_line("check --skip-unknown --relaxed OTHER") == TOOL_OK;
    status = run_line(line);
    if (is_split)
        check_split(status, was_sound);
    else if (strstr(line, "OUT") != NULL)
        check_out(status, was_sound, strncmp(line, "salvage", 7) == 0);
    must(rmdir(out_dir) == 0 && mkdir(out_dir, 0700) == 0); /* nothing is left behind */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len, first;
    uint8_t *bytes;
    const uint8_t *at;
    int in, other, pipe;

    if (size < 1 || size > MOST_BYTES)
        return 0;
    at = data + 1;
    len = size - 1;
    first = take_first((data[0] & 0x40) != 0, &at, &len);
    bytes = malloc(size);
    must(bytes != NULL);
    memcpy(bytes, at, len);
    if (data[0] & 0x80)
        put_sum_right(bytes, first);
    in = make_file(bytes, first, in_path);
    pipe = make_pipe(bytes, first, pipe_path);
    if (first < len) {
        memmove(bytes, bytes + first, len - first);
        len -= first;
    } else {
        change(bytes, len);
    }
    if (data[0] & 0x80)
        put_sum_right(bytes, len);
    other = make_file(bytes, len, other_path);
    free(bytes);
    run_and_check(lines[(data[0] & 63) % LINES]);
    must(close(in) == 0 && close(other) == 0 && close(pipe) == 0);
    return 0;
}
