/* tool/check/say_rows.c - what check says, for programs: CSV and JSON.  Schema:
 * docs/stillframe-rdb-commands.md. */
#include <string.h>

#include "tool/base/out.h"
#include "tool/check/check_impl.h"
#include "tool/values/json.h"

static const char *const results[CHECK_RESULTS] = {"sound", "found", "damaged", "unreadable"};
static const char *const sums[] = {[RDB_CRC_NONE] = "none",
                                   [RDB_CRC_ZERO] = "zero",
                                   [RDB_CRC_UNCHECKED] = "unchecked",
                                   [RDB_CRC_GOOD] = "good",
                                   [RDB_CRC_FRAME] = "frame"};

static bool
is_whole(const struct check *c)
{
    return c->result < CHECK_DAMAGED;
}

static const char *
duplicates(const struct check *c)
{
    return c->options->quick ? "unchecked" : c->was_twice ? "found" : "none";
}

/* ---- CSV ---- */

static void
csv_head(void)
{
    puts("file,result,version,keys,size_bytes,rdb_bytes,packed,checksum,findings,read_over,"
         "duplicates,error_offset,error_key,error,loads_in");
}

/* csv_text: as RFC 4180 has it. */
static void
csv_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void
csv_file(const struct check *c, bool is_first)
{
    const struct rdb_error *e = &c->run.error;

    (void)is_first;
    csv_text(c->run.path);
    printf(",%s,%d,%llu,%llu,%llu,", results[c->result], c->version, (unsigned long long)c->keys,
           (unsigned long long)c->run.size_bytes, (unsigned long long)c->run.rdb_bytes);
    csv_text(c->run.form);
    printf(",%s,%llu,%llu,%s,", is_whole(c) ? sums[c->crc] : "", (unsigned long long)c->findings,
           (unsigned long long)c->unknown.total, duplicates(c));
    if (c->result == CHECK_DAMAGED)
        printf("%llu", (unsigned long long)e->offset);
    putchar(',');
    csv_text(is_whole(c) ? "" : e->key);
    putchar(',');
    csv_text(is_whole(c) ? "" : e->text);
    fputs(",\"", stdout);
    for (unsigned i = 0; i < c->loads.count; i++) {
        struct loads_verdict v = loads_verdict(&c->loads, i, c->run.form, is_whole(c));

        printf("%s%s=%s", i == 0 ? "" : ";", v.server, v.word);
    }
    puts("\"");
}

const struct say say_csv = {.begin = csv_head, .file = csv_file};

/* ---- JSON ---- */

static void
put_text(struct tool_out *out, const char *name, const char *text)
{
    tool_out_format(out, ",\"%s\":", name);
    json_string(out, (struct slice){text, strlen(text)}, BINARY_BYTES);
}

static void
put_number(struct tool_out *out, const char *name, uint64_t n)
{
    tool_out_format(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void
put_error(struct tool_out *out, const struct check *c)
{
    const struct rdb_error *e = &c->run.error;

    if (is_whole(c)) {
        tool_out_text(out, ",\"error\":null");
        return;
    }
    tool_out_text(out, ",\"error\":{\"offset\":");
    if (c->result == CHECK_DAMAGED)
        json_unsigned(out, e->offset);
    else
        tool_out_text(out, "null");
    put_text(out, "key", e->key);
    put_text(out, "text", e->text);
    tool_out_text(out, "}");
}

static void
put_read_over(struct tool_out *out, const struct tool_unknown *u)
{
    tool_out_text(out, ",\"read_over\":[");
    for (unsigned i = 0; i < u->kinds; i++) {
        tool_out_format(out, "%s{\"count\":%llu", i == 0 ? "" : ",",
                        (unsigned long long)u->kind[i].count);
        put_text(out, "what", u->kind[i].what);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
put_loads(struct tool_out *out, const struct check *c)
{
    tool_out_text(out, ",\"loads_in\":[");
    for (unsigned i = 0; i < c->loads.count; i++) {
        struct loads_verdict v = loads_verdict(&c->loads, i, c->run.form, is_whole(c));

        tool_out_format(out, "%s{\"server\":\"%s\",\"loads\":%s", i == 0 ? "" : ",", v.server,
                        v.is_yes                    ? "true"
                        : strcmp(v.word, "no") == 0 ? "false"
                                                    : "null");
        put_text(out, v.is_yes ? "left_out" : "why", v.why);
        tool_out_text(out, "}");
    }
    tool_out_text(out, "]");
}

static void
json_begin(void)
{
    putchar('[');
}

static void
json_file(const struct check *c, bool is_first)
{
    struct tool_out out;

    (void)fflush(stdout); /* both go to the same place */
    if (tool_out_open(&out, NULL, false) != TOOL_OK)
        return;
    tool_out_text(&out, is_first ? "\n{\"file\":" : ",\n{\"file\":");
    json_string(&out, (struct slice){c->run.path, strlen(c->run.path)}, BINARY_BYTES);
    put_text(&out, "result", results[c->result]);
    put_number(&out, "version", (uint64_t)c->version);
    put_number(&out, "keys", c->keys);
    put_number(&out, "size_bytes", c->run.size_bytes);
    put_number(&out, "rdb_bytes", c->run.rdb_bytes);
    put_text(&out, "packed", c->run.form);
    put_text(&out, "checksum", is_whole(c) ? sums[c->crc] : "");
    put_number(&out, "findings", c->findings);
    put_text(&out, "duplicates", duplicates(c));
    put_read_over(&out, &c->unknown);
    put_error(&out, c);
    put_loads(&out, c);
    tool_out_text(&out, "}");
    (void)tool_out_close(&out, true);
}

static void
json_end(const struct check_sum *sum, const struct tool_options *o)
{
    (void)sum;
    (void)o;
    puts("\n]");
}

const struct say say_json = {.begin = json_begin, .file = json_file, .end = json_end};
