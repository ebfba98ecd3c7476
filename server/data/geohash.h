/* server/data/geohash.h - places on the earth as 52-bit numbers, and which of these numbers lie in a shape.
 *
 * A place is two numbers of 26 bits, how far it is up from the south and east from the west of the map, with
 * their bits interleaved (latitude in the even ones): a Z-order curve, so that the cells of each size are
 * ranges of numbers. The map ends at 85.05112878 degrees, as the Mercator projection of the web does
 * (EPSG:900913); the earth is a ball of 6,372,797.560856 m.  52 bits fit a double exactly: they are scores of
 * a sorted set. [G. M. Morton 1966; G. Niemeyer, geohash.org, 2008; Redis documentation: GEOADD.]  Threads:
 * [any]. */
#ifndef SERVER_GEOHASH_H
#define SERVER_GEOHASH_H

#include <stdbool.h>
#include <stdint.h>

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX  85.05112878

enum { GEO_STEPS = 26, GEO_CELLS = 9, GEO_TEXT_BYTES = 12 };

struct geo_point {
    double longitude, latitude; /* degrees */
};

/* geo_is_on_map: may the point be encoded? */
bool geo_is_on_map(struct geo_point p);
/* geo_encode: the number of a point on the map. */
uint64_t geo_encode(struct geo_point p);
/* geo_decode: the middle of the smallest cell. */
struct geo_point geo_decode(uint64_t bits);
/* geo_distance_m: along a great circle (haversine), in metres. */
double geo_distance_m(struct geo_point a, struct geo_point b);
/* geo_text: the 11 characters of geohash.org, the last always '0', and a NUL. */
void geo_text(uint64_t bits, char ret[GEO_TEXT_BYTES]);

struct geo_shape {
    struct geo_point center;
    bool is_box;
    double radius_m;          /* of a circle */
    double width_m, height_m; /* of a box */
};

/* geo_in_shape: is the point within, or on the edge?  *ret_m: how far it is from the center. */
bool geo_in_shape(const struct geo_shape *s, struct geo_point p, double *ret_m);

/* geo_cover: cells that cover the shape, as ranges [min, max) of numbers, in the order in which Redis looks
 * through them: the middle, north, south, east, west, and the four corners, without those that the shape does
 * not reach. Returns how many. */
struct geo_range {
    uint64_t min, max;
};
unsigned geo_cover(const struct geo_shape *s, struct geo_range ret[GEO_CELLS]);

#endif
