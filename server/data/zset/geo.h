/* server/data/zset/geo.h - places on the earth as numbers: longitude and latitude interleaved to 52
 * bits, which are the scores of a sorted set, so that a square of the map is a range of scores.
 *
 *   G1  A cell of step n is one of 2^n columns and 2^n rows; the bits of its row and column,
 *       interleaved (row lowest), are its number, and the leading bits of all places in it.
 *
 * [Niemeyer's geohash; the limits are those of Web Mercator, EPSG:3857.]
 * Threads: any. */
#ifndef SERVER_DATA_ZSET_GEO_H
#define SERVER_DATA_ZSET_GEO_H

#include <stdbool.h>
#include <stdint.h>

enum { GEO_STEPS = 26, GEO_CELLS = 9, GEO_HASH_BYTES = 11 };

struct geo_point {
    double lon, lat; /* degrees */
};

/* What is searched: all within a radius of a place, or in a box around it. */
struct geo_shape {
    struct geo_point center;
    bool is_box;
    double unit;   /* metres */
    double radius; /* in units, like the others */
    double width, height;
};

struct geo_cell {
    uint64_t bits;
    unsigned step; /* 0: no cell */
};

bool geo_is_valid(struct geo_point p);
/* geo_score, geo_place: a place as a score, and back: the middle of its smallest cell. */
double geo_score(struct geo_point p);
struct geo_point geo_place(double score);
/* geo_hash: the usual text of eleven characters, the last always '0'. */
void geo_hash(struct geo_point p, char ret[GEO_HASH_BYTES]);
/* geo_distance: in metres, on a sphere. */
double geo_distance(struct geo_point a, struct geo_point b);
/* geo_contains: is it in the shape?  *ret: the distance from its center. */
bool geo_contains(const struct geo_shape *s, struct geo_point p, double *ret);
/* geo_cells: the cell in which the center lies, then those around it (N S E W NE NW SE SW) that the
 * shape may reach into. */
void geo_cells(const struct geo_shape *s, struct geo_cell ret[GEO_CELLS]);
/* geo_scores: of all places in a cell: [*from, *to). */
void geo_scores(struct geo_cell cell, double *from, double *to);

#endif
