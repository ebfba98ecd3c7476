/* server/data/geohash.c - places as numbers. */
#include "server/data/geohash.h"

#include <math.h>

#define EARTH_RADIUS_M 6372797.560856
#define MERCATOR_MAX_M 20037726.37 /* half of the map's width */

/* Degrees of a cell, or of the whole map. */
struct span {
    double min, max;
};
static const struct span whole_longitude = {-GEO_LONGITUDE_MAX, GEO_LONGITUDE_MAX},
                         whole_latitude = {-GEO_LATITUDE_MAX, GEO_LATITUDE_MAX},
                         text_latitude = {-90, 90}; /* geohash.org's map ends at the poles */

static double
radians(double degrees)
{
    return degrees * (M_PI / 180.0);
}

static double
degrees(double radians)
{
    return radians / (M_PI / 180.0);
}

bool
geo_is_on_map(struct geo_point p)
{
    return p.longitude >= whole_longitude.min && p.longitude <= whole_longitude.max &&
           p.latitude >= whole_latitude.min && p.latitude <= whole_latitude.max;
}

/* ---- numbers ---- */

/* spread: bit i goes to bit 2i; gather: back. */
static uint64_t
spread(uint64_t x)
{
    x = (x | x << 16) & 0x0000ffff0000ffffULL;
    x = (x | x << 8) & 0x00ff00ff00ff00ffULL;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fULL;
    x = (x | x << 2) & 0x3333333333333333ULL;
    return (x | x << 1) & 0x5555555555555555ULL;
}

static uint64_t
gather(uint64_t x)
{
    x &= 0x5555555555555555ULL;
    x = (x | x >> 1) & 0x3333333333333333ULL;
    x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0fULL;
    x = (x | x >> 4) & 0x00ff00ff00ff00ffULL;
    x = (x | x >> 8) & 0x0000ffff0000ffffULL;
    return (x | x >> 16) & 0x00000000ffffffffULL;
}

/* A cell of the grid of 2^steps by 2^steps. */
struct cell {
    uint64_t east, north; /* counted from the south-west */
    unsigned steps;
};

static uint64_t
place(struct span whole, double degree, unsigned steps)
{
    return (uint64_t)(uint32_t)((degree - whole.min) / (whole.max - whole.min) * (double)(1ULL << steps));
}

static struct cell
cell_at(struct geo_point p, unsigned steps)
{
    return (struct cell){place(whole_longitude, p.longitude, steps), place(whole_latitude, p.latitude, steps),
                         steps};
}

static uint64_t
cell_bits(struct cell c)
{
    return spread(c.north) | spread(c.east) << 1;
}

static struct span
cell_span(struct span whole, uint64_t at, unsigned steps)
{
    double scale = whole.max - whole.min, cells = (double)(1ULL << steps);

    return (struct span){whole.min + (double)at * 1.0 / cells * scale,
                         whole.min + (double)(at + 1) * 1.0 / cells * scale};
}

uint64_t
geo_encode(struct geo_point p)
{
    return cell_bits(cell_at(p, GEO_STEPS));
}

static double
middle(struct span whole, uint64_t at)
{
    struct span s = cell_span(whole, at, GEO_STEPS);
    double m = (s.min + s.max) / 2;

    return m > whole.max ? whole.max : m < whole.min ? whole.min : m;
}

struct geo_point
geo_decode(uint64_t bits)
{
    return (struct geo_point){.longitude = middle(whole_longitude, gather(bits >> 1)),
                              .latitude = middle(whole_latitude, gather(bits))};
}

void
geo_text(uint64_t bits, char ret[GEO_TEXT_BYTES])
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    struct geo_point p = geo_decode(bits);
    uint64_t text = spread(place(text_latitude, p.latitude, GEO_STEPS)) |
                    spread(place(whole_longitude, p.longitude, GEO_STEPS)) << 1;

    for (int i = 0; i < GEO_TEXT_BYTES - 1; i++) {
        int shift = 2 * GEO_STEPS - 5 * (i + 1);

        ret[i] = alphabet[shift < 0 ? 0 : text >> shift & 31]; /* 52 bits give ten characters and two bits */
    }
    ret[GEO_TEXT_BYTES - 1] = '\0';
}

/* ---- shapes ---- */

double
geo_distance_m(struct geo_point a, struct geo_point b)
{
    double up_a = radians(a.latitude), up_b = radians(b.latitude);
    double u = sin((up_b - up_a) / 2), v = sin((radians(b.longitude) - radians(a.longitude)) / 2);

    return 2.0 * EARTH_RADIUS_M * asin(sqrt(u * u + cos(up_a) * cos(up_b) * v * v));
}

bool
geo_in_shape(const struct geo_shape *s, struct geo_point p, double *ret_m)
{
    if (s->is_box) {
        struct geo_point across = {s->center.longitude, p.latitude},
                         along = {p.longitude, s->center.latitude};

        if (geo_distance_m(p, along) > s->height_m / 2 || geo_distance_m(p, across) > s->width_m / 2)
            return false;
        *ret_m = geo_distance_m(s->center, p);
        return true;
    }
    *ret_m = geo_distance_m(s->center, p);
    return *ret_m <= s->radius_m;
}

/* ---- covering a shape ---- */

/* steps_for: cells about as large as the radius; nearer to the poles they are narrower. */
static unsigned
steps_for(double radius_m, double latitude)
{
    int steps = 1;

    if (radius_m == 0)
        return GEO_STEPS;
    while (radius_m < MERCATOR_MAX_M) {
        radius_m *= 2;
        steps++;
    }
    steps -= 2; /* so that the cell and its neighbours hold the shape */
    if (fabs(latitude) > 66)
        steps--;
    if (fabs(latitude) > 80)
        steps--;
    return steps < 1 ? 1 : steps > GEO_STEPS ? GEO_STEPS : (unsigned)steps;
}

/* The neighbours, in the order of geo_cover(). */
static const struct offset {
    int east, north;
} offsets[GEO_CELLS] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};

/* neighbour: around the map's edges it goes on at the other side. */
static struct cell
neighbour(struct cell c, struct offset o)
{
    uint64_t mask = (1ULL << c.steps) - 1;

    c.east = (c.east + (uint64_t)(int64_t)o.east) & mask;
    c.north = (c.north + (uint64_t)(int64_t)o.north) & mask;
    return c;
}

/* reaches_out: do the neighbours not hold the shape?  Their far edges are nearer than the radius. */
static bool
reaches_out(struct cell c, struct geo_point center, double radius_m)
{
    for (int i = 1; i <= 4; i++) {
        struct cell n = neighbour(c, offsets[i]);
        struct span east = cell_span(whole_longitude, n.east, n.steps),
                    north = cell_span(whole_latitude, n.north, n.steps);
        struct geo_point edge = center;

        if (offsets[i].north != 0)
            edge.latitude = offsets[i].north > 0 ? north.max : north.min;
        else
            edge.longitude = offsets[i].east > 0 ? east.max : east.min;
        if (geo_distance_m(center, edge) < radius_m)
            return true;
    }
    return false;
}

/* The shape's box, in degrees. */
static void
bounds(const struct geo_shape *s, struct span *ret_longitude, struct span *ret_latitude)
{
    double up = degrees((s->is_box ? s->height_m / 2 : s->radius_m) / EARTH_RADIUS_M);
    double across = (s->is_box ? s->width_m / 2 : s->radius_m) / EARTH_RADIUS_M;
    double widest = s->center.latitude < 0 ? s->center.latitude - up : s->center.latitude + up;
    double side = degrees(across / cos(radians(widest)));

    *ret_longitude = (struct span){s->center.longitude - side, s->center.longitude + side};
    *ret_latitude = (struct span){s->center.latitude - up, s->center.latitude + up};
}

/* is_useless: the middle cell alone covers the shape on that side. */
static bool
is_useless(struct cell middle_cell, struct offset o, struct span longitude, struct span latitude)
{
    struct span east = cell_span(whole_longitude, middle_cell.east, middle_cell.steps),
                north = cell_span(whole_latitude, middle_cell.north, middle_cell.steps);

    return (o.north < 0 && north.min < latitude.min) || (o.north > 0 && north.max > latitude.max) ||
           (o.east < 0 && east.min < longitude.min) || (o.east > 0 && east.max > longitude.max);
}

unsigned
geo_cover(const struct geo_shape *s, struct geo_range ret[GEO_CELLS])
{
    double radius_m = s->is_box
                          ? sqrt(s->width_m / 2 * (s->width_m / 2) + s->height_m / 2 * (s->height_m / 2))
                          : s->radius_m;
    unsigned steps = steps_for(radius_m, s->center.latitude), count = 0;
    struct cell c = cell_at(s->center, steps);
    struct span longitude, latitude;

    if (steps > 1 && reaches_out(c, s->center, radius_m))
        c = cell_at(s->center, --steps);
    bounds(s, &longitude, &latitude);
    for (int i = 0; i < GEO_CELLS; i++) {
        uint64_t bits = cell_bits(neighbour(c, offsets[i])), shift = 2 * (GEO_STEPS - steps);

        if (steps >= 2 && is_useless(c, offsets[i], longitude, latitude))
            continue;
        /* On a coarse grid neighbours meet on the other side of the earth. */
        if (count > 0 && ret[count - 1].min == bits << shift)
            continue;
        ret[count++] = (struct geo_range){bits << shift, (bits + 1) << shift};
    }
    return count;
}
