/* server/commands/geo/geo.c - places as members of sorted sets: GEOADD, GEOPOS, GEODIST, GEOHASH.
 * Searching: commands/geo/geo_search.c. */
#include "server/commands/geo/geo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/commands/sorted_set/zset.h"
#include "server/data/db/db.h"
#include "server/exec/args.h"
#include "server/exec/changed.h"
#include "server/exec/handlers.h"
#include "server/net/reply.h"

#include "server/commands/geo/geo.def"

/* ---- shared ---- */

bool
geo_arg_point(struct client *c, int i, struct geo_point *ret)
{
    if (!arg_double(c, i, NULL, &ret->lon) || !arg_double(c, i + 1, NULL, &ret->lat))
        return false;
    if (geo_is_valid(*ret))
        return true;
    reply_errorf(c, "ERR invalid longitude,latitude pair %f,%f", ret->lon, ret->lat);
    return false;
}

bool
geo_arg_unit(struct client *c, int i, double *ret)
{
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};

    for (size_t k = 0; k < sizeof units / sizeof *units; k++)
        if (arg_is(c, i, units[k].name)) {
            *ret = units[k].metres;
            return true;
        }
    reply_error(c, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

bool
geo_member(const struct record *r, struct slice member, struct geo_point *ret, double *ret_score)
{
    if (r == NULL || !zset_score(r, member, ret_score))
        return false;
    *ret = geo_place(*ret_score);
    return true;
}

void
geo_reply_distance(struct client *c, double units)
{
    char text[512];

    reply_bulk(c, text, (size_t)snprintf(text, sizeof text, "%.4f", units));
}

/* reply_degrees: all 17 decimals but for zeros at the end; a double to RESP3. */
static void
reply_degrees(struct client *c, double degrees)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%.17Lf", (long double)degrees);

    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    text[len] = '\0';
    if (len == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        len = 1;
    }
    if (c->resp == 2) {
        reply_bulk(c, text, (size_t)len);
        return;
    }
    reply_raw(c, ",", 1);
    reply_raw(c, text, (size_t)len);
    reply_raw(c, "\r\n", 2);
}

void
geo_reply_point(struct client *c, struct geo_point p)
{
    reply_array(c, 2);
    reply_degrees(c, p.lon);
    reply_degrees(c, p.lat);
}

/* ---- GEOADD ---- */

/* add_places: what ZADD does, with scores from the places at the arguments from `first` on. */
static void
add_places(struct client *c, int first, unsigned flags, bool return_changed)
{
    int count = (c->argc - first) / 3;
    struct zmember *members = malloc((size_t)count * sizeof *members);
    struct zset_added sum = {.added = 0};
    struct db_ref ref;

    if (members == NULL) {
        reply_no_memory(c);
        return;
    }
    for (int i = 0; i < count; i++) {
        struct geo_point p;

        if (!geo_arg_point(c, first + 3 * i, &p))
            goto done;
        members[i] = (struct zmember){.score = geo_score(p), .member = c->argv[first + 3 * i + 2]};
    }
    if (!zset_find_key(c, 1, DB_WRITE, &ref))
        goto done;
    if (zset_add(&ref, flags, members, count, &sum) < 0) {
        reply_no_memory(c);
        goto done;
    }
    if (sum.added + sum.updated > 0)
        changed(c, c->argv[1], KEY_EVENT_ZSET, "zadd", (uint64_t)(sum.added + sum.updated));
    reply_int(c, sum.added + (return_changed ? sum.updated : 0));
done:
    free(members);
}

void
cmd_geoadd(struct client *c)
{
    bool nx = false, xx = false, ch = false;
    int i = 2;

    for (; i < c->argc; i++)
        if (arg_is(c, i, "nx"))
            nx = true;
        else if (arg_is(c, i, "xx"))
            xx = true;
        else if (arg_is(c, i, "ch"))
            ch = true;
        else
            break;
    if ((c->argc - i) % 3 != 0 || i == c->argc || (nx && xx))
        reply_syntax(c);
    else
        add_places(c, i, (nx ? ZSET_NX : 0u) | (xx ? ZSET_XX : 0u), ch);
}

/* ---- GEOPOS, GEOHASH, GEODIST ---- */

void
cmd_geopos(struct client *c)
{
    struct geo_point p;
    struct db_ref ref;
    double score;

    if (!zset_find_key(c, 1, DB_READ, &ref))
        return;
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        if (geo_member(ref.rec, c->argv[i], &p, &score))
            geo_reply_point(c, p);
        else
            reply_null_array(c);
}

void
cmd_geohash(struct client *c)
{
    char text[GEO_HASH_BYTES];
    struct geo_point p;
    struct db_ref ref;
    double score;

    if (!zset_find_key(c, 1, DB_READ, &ref))
        return;
    reply_array(c, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        if (geo_member(ref.rec, c->argv[i], &p, &score)) {
            geo_hash(p, text);
            reply_bulk(c, text, sizeof text);
        } else {
            reply_null(c);
        }
}

void
cmd_geodist(struct client *c)
{
    struct geo_point a, b;
    double unit = 1, score;
    struct db_ref ref;

    if (c->argc > 5) {
        reply_syntax(c);
        return;
    }
    if ((c->argc == 5 && !geo_arg_unit(c, 4, &unit)) || !zset_find_key(c, 1, DB_READ, &ref))
        return;
    if (geo_member(ref.rec, c->argv[2], &a, &score) && geo_member(ref.rec, c->argv[3], &b, &score))
        geo_reply_distance(c, geo_distance(a, b) / unit);
    else
        reply_null(c);
}
