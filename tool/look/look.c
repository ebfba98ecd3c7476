/* tool/look/look.c - what keys, get and head share. */
#include "tool/look/look.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
look_is_seen(const struct tool_options *o)
{
    return o->output == NULL && isatty(STDOUT_FILENO) == 1;
}

bool
look_refuses_csv(const struct tool_options *o, const char *command)
{
    if (strcmp(o->format, "csv") != 0)
        return false;
    fprintf(stderr, "stillframe-rdb: %s has no CSV\nTry: --format=json\n", command);
    return true;
}

void
look_tell_unknown(const struct walk *w, const struct tool_options *o)
{
    if (w->unknown > 0 && !o->quiet)
        fprintf(stderr, "stillframe-rdb: left out by --skip-unknown: %llu\n",
                (unsigned long long)w->unknown);
}

void
look_seconds(char *ret, size_t room, int64_t s)
{
    if (s >= 86400)
        snprintf(ret, room, "%lldd %lldh", (long long)(s / 86400), (long long)(s / 3600 % 24));
    else if (s >= 3600)
        snprintf(ret, room, "%lldh %lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
    else if (s >= 60)
        snprintf(ret, room, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
    else
        snprintf(ret, room, "%llds", (long long)s);
}

void
look_ttl(char *ret, size_t room, int64_t expire_at_ms, int64_t from_ms)
{
    if (expire_at_ms == -1)
        snprintf(ret, room, "-");
    else if (expire_at_ms <= from_ms)
        snprintf(ret, room, "past");
    else
        look_seconds(ret, room, (int64_t)(((uint64_t)expire_at_ms - (uint64_t)from_ms) / 1000));
}
