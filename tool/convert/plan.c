/* tool/convert/plan.c - the options of a conversion, and what follows from them for a key. */
#include "tool/convert/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mm/base/num.h"
#include "snapshot/rdb/lz4_frame.h"
#include "tool/base/server.h"
#include "tool/base/tool.h"
#include "tool/convert/output.h"
#include "tool/convert/target.h"

static int
wrong(const char *option, const char *text, const char *why)
{
    fprintf(stderr, "stillframe-rdb: --%s=%s: %s\n", option, text, why);
    return TOOL_USAGE;
}

static bool
parse_number(const char *text, size_t len, uint64_t *ret)
{
    int64_t n;

    if (!num_parse(text, len, &n) || n < 0)
        return false;
    *ret = (uint64_t)n;
    return true;
}

/* set_version: a number, or a server's name. */
static int
set_version(struct plan *p, const char *text)
{
    const struct server *server;
    uint64_t version;

    if (text == NULL)
        return TOOL_OK;
    if (parse_number(text, strlen(text), &version) && target_is_version(version)) {
        p->version = (int)version;
        return TOOL_OK;
    }
    if ((server = server_of(slice_of(text, strlen(text)))) != NULL) {
        p->version = server_version(server);
        return TOOL_OK;
    }
    if (num_parse(text, strlen(text), &(int64_t){0}))
        return wrong("to-version", text, "not a version that can be written (6 to 12, 80)");
    server_unknown("to-version", slice_of(text, strlen(text)));
    return TOOL_USAGE;
}

/* set_server: what --for says. */
static int
set_server(struct plan *p, const char *text)
{
    const struct server *server;

    if (text == NULL)
        return TOOL_OK;
    if ((server = server_of(slice_of(text, strlen(text)))) == NULL) {
        server_unknown("for", slice_of(text, strlen(text)));
        return TOOL_USAGE;
    }
    if (p->version != 0 && p->version != server_version(server))
        return wrong("for", text, "--to-version says another version");
    p->version = server_version(server);
    p->no_envelope = !server_has(server, SERVER_ENVELOPE);
    if (p->no_envelope && p->compress == COMPRESS_LZ4)
        return wrong("compress", "lz4", "the server of --for does not read that");
    return TOOL_OK;
}

static void
set_compression(struct plan *p, const char *word)
{
    p->compress = strcmp(word, "none") == 0  ? COMPRESS_NONE
                  : strcmp(word, "lzf") == 0 ? COMPRESS_LZF
                  : strcmp(word, "lz4") == 0 ? COMPRESS_LZ4
                                             : COMPRESS_KEEP;
}

static int
set_level(struct plan *p, const char *text)
{
    int64_t level;

    if (text == NULL)
        return TOOL_OK;
    if (!num_parse(text, strlen(text), &level) || level < LZ4_FRAME_LEVEL_MIN ||
        level > LZ4_FRAME_LEVEL_MAX)
        return wrong("level", text, "not a level of LZ4 (-100 to 12)");
    if (p->compress == COMPRESS_NONE || p->compress == COMPRESS_LZF)
        return wrong("level", text, "it is one of --compress=lz4");
    p->level = (int)level;
    return TOOL_OK;
}

static int
set_split(struct plan *p, const char *text)
{
    const char *by = text == NULL ? NULL : strchr(text, ':');

    if (text == NULL)
        return TOOL_OK;
    if (strcmp(text, "db") == 0)
        p->split = SPLIT_DB;
    else if (strncmp(text, "slot:", 5) == 0)
        p->split = SPLIT_SLOT;
    else if (strncmp(text, "size:", 5) == 0)
        p->split = SPLIT_SIZE;
    if (p->split == SPLIT_SLOT && (!parse_number(by + 1, strlen(by + 1), &p->split_by) ||
                                   p->split_by == 0 || p->split_by > PARTS_MOST))
        return wrong("split", text, "not a number of files from 1 to 1024");
    if (p->split == SPLIT_SIZE && (!tool_parse_bytes(by + 1, &p->split_by) || p->split_by == 0))
        return wrong("split", text, "not a number of bytes");
    return p->split == SPLIT_NOT ? wrong("split", text, "not slot:N, db or size:BYTES") : TOOL_OK;
}

/* add_map: "0=3", of a list with commas. */
static bool
add_map(struct plan *p, const char *text, size_t len)
{
    const char *sign = memchr(text, '=', len);
    struct db_map m;

    if (sign == NULL || p->maps == DB_MAPS_MOST ||
        !parse_number(text, (size_t)(sign - text), &m.from) ||
        !parse_number(sign + 1, len - (size_t)(sign + 1 - text), &m.to))
        return false;
    p->map[p->maps++] = m;
    return true;
}

static int
set_maps(struct plan *p, const struct tool_texts *texts)
{
    for (unsigned i = 0; i < texts->count; i++)
        for (const char *at = texts->at[i], *end; at != NULL; at = *end == ',' ? end + 1 : NULL) {
            end = at + strcspn(at, ",");
            if (!add_map(p, at, (size_t)(end - at)))
                return wrong("db-map", texts->at[i], "not N=M, two numbers of databases");
        }
    return TOOL_OK;
}

static int
check_output(const struct plan *p, const struct tool_options *o)
{
    const char *what = NULL;

    if (o->output == NULL)
        what = "convert: where to?  -o FILE, or -o - for standard output";
    else if (p->split != SPLIT_NOT && strcmp(o->output, "-") == 0)
        what = "convert: several files do not fit into standard output";
    else if (strcmp(o->output, "-") == 0 && isatty(STDOUT_FILENO))
        what = "convert: a dump is nothing for a terminal: -o FILE, or a pipe";
    if (what == NULL)
        return TOOL_OK;
    fprintf(stderr, "stillframe-rdb: %s\nTry: stillframe-rdb convert --help\n", what);
    return TOOL_USAGE;
}

int
plan_make(struct plan *p, const struct tool_options *o)
{
    int r;

    *p = (struct plan){.lossy = o->lossy};
    p->rule = strcmp(o->on_conflict, "first") == 0  ? MERGE_FIRST
              : strcmp(o->on_conflict, "last") == 0 ? MERGE_LAST
                                                    : MERGE_REFUSE;
    set_compression(p, o->compress);
    if ((r = set_version(p, o->to_version)) != TOOL_OK ||
        (r = set_server(p, o->server)) != TOOL_OK || (r = set_level(p, o->level)) != TOOL_OK ||
        (r = set_split(p, o->split)) != TOOL_OK || (r = set_maps(p, &o->db_map)) != TOOL_OK)
        return r;
    return check_output(p, o);
}

uint64_t
plan_db(const struct plan *p, uint64_t db)
{
    for (unsigned i = 0; i < p->maps; i++)
        if (p->map[i].from == db)
            return p->map[i].to;
    return db;
}

/* crc16: CRC-16/XMODEM, bit by bit: keys are short, and a table would not be worth its words. */
static unsigned
crc16(const uint8_t *p, size_t len)
{
    enum { POLYNOMIAL = 0x1021, HIGHEST = 0x8000, ALL = 0xffff };
    unsigned crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & HIGHEST) != 0 ? (crc << 1 ^ POLYNOMIAL) & ALL : crc << 1;
    }
    return crc;
}

/* Between the first { and the first } behind it, if anything stands there, is what counts. */
unsigned
plan_slot(struct slice key)
{
    const char *open = key.len == 0 ? NULL : memchr(key.ptr, '{', key.len), *close;
    size_t left;

    if (open != NULL) {
        left = key.len - (size_t)(open + 1 - key.ptr);
        close = left == 0 ? NULL : memchr(open + 1, '}', left);
        if (close != NULL && close > open + 1)
            key = (struct slice){open + 1, (size_t)(close - open - 1)};
    }
    return crc16(slice_bytes(key), key.len) % SLOTS;
}

/* Rounded to the nearest. */
unsigned
plan_slot_first(const struct plan *p, unsigned part)
{
    return (unsigned)((2 * (uint64_t)part * SLOTS + p->split_by) / (2 * p->split_by));
}

unsigned
plan_slot_part(const struct plan *p, unsigned slot)
{
    unsigned part = (unsigned)(slot * p->split_by / SLOTS);

    while (part > 0 && plan_slot_first(p, part) > slot)
        part--;
    while (part + 1 < p->split_by && plan_slot_first(p, part + 1) <= slot)
        part++;
    return part;
}
