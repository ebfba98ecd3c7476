/* tests/integration/rdb_expires.c - print what a dump says of each key, through our decoder:
 *     DATABASE EXPIRY-IN-MS-OR--1 KEY      rdb_expires FILE */
#include <stdio.h>
#include <string.h>

#include "snapshot/rdb/rdb_dec.h"

static int
on_key(void *ctx, const struct rdb_key *k)
{
    (void)ctx;
    printf("%llu %lld %.*s\n", (unsigned long long)k->db, (long long)k->expire_at_ms,
           (int)k->name.len, k->name.ptr);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct rdb_events events = {.key = on_key};
    struct rdb_source *src;
    struct rdb_error err;
    int r;

    if (argc != 2 || (r = rdb_source_file(argv[1], &src)) < 0) {
        fprintf(stderr, "usage: rdb_expires FILE (that can be read)\n");
        return 2;
    }
    if ((r = rdb_decode(src, &events, NULL, true, &err)) != 0)
        fprintf(stderr, "rdb_expires: %s: at %llu: %s\n", argv[1], (unsigned long long)err.offset,
                err.text);
    rdb_source_close(src);
    return r != 0;
}
