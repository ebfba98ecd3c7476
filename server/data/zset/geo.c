/* server/data/zset/geo.c - places on the earth as numbers. */
#include "server/data/zset/geo.h"

#include <math.h>

static const double earth_radius_m = 6372797.560856, mercator_max_m = 20037726.37;
static const double radian = M_PI / 180.0; /* of a degree */

/* The part of the earth that is cut into cells. */
struct limits {
    double lon, lat; /* from -lon to lon */
};
static const struct limits mercator = {180, 85.05112878}, whole = {180, 90};

/* ---- bits ---- */

/* spread: bit i of v becomes bit 2 i. */
static uint64_t
spread(uint32_t v)
{
    uint64_t b = v;

    b = (b | b << 16) & 0x0000ffff0000ffff;
    b = (b | b << 8) & 0x00ff00ff00ff00ff;
    b = (b | b << 4) & 0x0f0f0f0f0f0f0f0f;
    b = (b | b << 2) & 0x3333333333333333;
    return (b | b << 1) & 0x5555555555555555;
}

static uint32_t
gather(uint64_t b)
{
    b &= 0x5555555555555555;
    b = (b | b >> 1) & 0x3333333333333333;
    b = (b | b >> 2) & 0x0f0f0f0f0f0f0f0f;
    b = (b | b >> 4) & 0x00ff00ff00ff00ff;
    b = (b | b >> 8) & 0x0000ffff0000ffff;
    return (uint32_t)(b | b >> 16);
}

static uint64_t
encode(struct geo_point p, struct limits l, unsigned step)
{
    double row = (p.lat + l.lat) / (l.lat - -l.lat), column = (p.lon + l.lon) / (l.lon - -l.lon);

    row *= (double)(1ull << step);
    column *= (double)(1ull << step);
    return spread((uint32_t)row) | spread((uint32_t)column) << 1;
}

struct area {
    struct geo_point min, max;
};

static struct area
area_of(struct geo_cell cell)
{
    double lon = mercator.lon - -mercator.lon, lat = mercator.lat - -mercator.lat;
    uint32_t row = gather(cell.bits), column = gather(cell.bits >> 1);
    double n = (double)(1ull << cell.step);

    return (struct area){
        .min = {-mercator.lon + (column * 1.0 / n) * lon, -mercator.lat + (row * 1.0 / n) * lat},
        .max = {-mercator.lon + ((column + 1) * 1.0 / n) * lon,
                -mercator.lat + ((row + 1) * 1.0 / n) * lat}};
}

/* ---- places ---- */

bool
geo_is_valid(struct geo_point p)
{
    return p.lon >= -mercator.lon && p.lon <= mercator.lon && p.lat >= -mercator.lat &&
           p.lat <= mercator.lat;
}

double
geo_score(struct geo_point p)
{
    return (double)encode(p, mercator, GEO_STEPS);
}

static double
clamp(double v, double limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

struct geo_point
geo_place(double score)
{
    /* A score that no place has made stays one that can be converted. */
    uint64_t bits = score >= 0 && score < 18446744073709551616.0 ? (uint64_t)score : 0;
    struct area a = area_of((struct geo_cell){.bits = bits, .step = GEO_STEPS});

    return (struct geo_point){.lon = clamp((a.min.lon + a.max.lon) / 2, mercator.lon),
                              .lat = clamp((a.min.lat + a.max.lat) / 2, mercator.lat)};
}

void
geo_hash(struct geo_point p, char ret[GEO_HASH_BYTES])
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = encode(p, whole, GEO_STEPS);

    for (unsigned i = 0; i < GEO_HASH_BYTES - 1; i++)
        ret[i] = alphabet[bits >> (2 * GEO_STEPS - 5 * (i + 1)) & 31];
    /* 52 bits are ten characters and two bits, which nobody gets */
    ret[GEO_HASH_BYTES - 1] = alphabet[0];
}

static double
distance_of_latitudes(double a, double b)
{
    return earth_radius_m * fabs(b * radian - a * radian);
}

/* The haversine formula. */
double
geo_distance(struct geo_point a, struct geo_point b)
{
    double v = sin((b.lon * radian - a.lon * radian) / 2), u;

    if (v == 0)
        return distance_of_latitudes(a.lat, b.lat);
    u = sin((b.lat * radian - a.lat * radian) / 2);
    return 2 * earth_radius_m *
           asin(sqrt(u * u + cos(a.lat * radian) * cos(b.lat * radian) * v * v));
}

bool
geo_contains(const struct geo_shape *s, struct geo_point p, double *ret)
{
    double distance;

    if (s->is_box) {
        struct geo_point beside = {.lon = s->center.lon, .lat = p.lat};

        if (distance_of_latitudes(p.lat, s->center.lat) > s->height * s->unit / 2 ||
            geo_distance(p, beside) > s->width * s->unit / 2)
            return false;
    }
    distance = geo_distance(s->center, p);
    if (!s->is_box && distance > s->radius * s->unit)
        return false;
    *ret = distance;
    return true;
}

/* ---- cells ---- */

/* bounds_of: a rectangle of longitudes and latitudes that the shape fits into. */
static struct area
bounds_of(const struct geo_shape *s)
{
    double half_width = s->unit * (s->is_box ? s->width / 2 : s->radius);
    double half_height = s->unit * (s->is_box ? s->height / 2 : s->radius);
    double lat = half_height / earth_radius_m / radian;
    /* Meridians are closest at the edge that is nearer to a pole. */
    double edge = s->center.lat < 0 ? s->center.lat - lat : s->center.lat + lat;
    double lon = half_width / earth_radius_m / cos(edge * radian) / radian;

    return (struct area){.min = {s->center.lon - lon, s->center.lat - lat},
                         .max = {s->center.lon + lon, s->center.lat + lat}};
}

/* step_for: cells about as large as the radius: they become wide when the earth gets narrow. */
static unsigned
step_for(double radius_m, double lat)
{
    int step = 1;

    if (radius_m == 0)
        return GEO_STEPS;
    while (radius_m < mercator_max_m) {
        radius_m *= 2;
        step++;
    }
    step -= 2;
    if (fabs(lat) > 66)
        step -= fabs(lat) > 80 ? 2 : 1;
    return (unsigned)(step < 1 ? 1 : step > GEO_STEPS ? GEO_STEPS : step);
}

static const struct {
    int8_t east, north;
} directions[GEO_CELLS] = {{0, 0}, {0, 1},  {0, -1}, {1, 0},  {-1, 0},
                           {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
enum { MIDDLE, NORTH, SOUTH, EAST, WEST };

/* moved: beyond the map's edge is the other one.  A place on the very edge has a row or column one
 * beyond the last, which stays so where nothing moves. */
static uint32_t
moved(uint32_t at, int8_t by, uint32_t mask)
{
    return by == 0 ? at : (at + (uint32_t)by) & mask;
}

static void
cells_around(struct geo_point center, unsigned step, struct geo_cell ret[GEO_CELLS])
{
    uint64_t bits = encode(center, mercator, step);
    uint32_t mask = (uint32_t)((1ull << step) - 1);

    for (unsigned i = 0; i < GEO_CELLS; i++) {
        uint32_t row = moved(gather(bits), directions[i].north, mask);
        uint32_t column = moved(gather(bits >> 1), directions[i].east, mask);

        ret[i] = (struct geo_cell){.bits = spread(row) | spread(column) << 1, .step = step};
    }
}

/* are_too_small: does the shape reach beyond the cells around the one in the middle? */
static bool
are_too_small(const struct geo_cell cells[GEO_CELLS], const struct area *bounds)
{
    return area_of(cells[NORTH]).max.lat < bounds->max.lat ||
           area_of(cells[SOUTH]).min.lat > bounds->min.lat ||
           area_of(cells[EAST]).max.lon < bounds->max.lon ||
           area_of(cells[WEST]).min.lon > bounds->min.lon;
}

static void
leave_out(struct geo_cell cells[GEO_CELLS], int east, int north)
{
    for (unsigned i = 1; i < GEO_CELLS; i++)
        if ((east != 0 && directions[i].east == east) ||
            (north != 0 && directions[i].north == north))
            cells[i].step = 0;
}

void
geo_cells(const struct geo_shape *s, struct geo_cell ret[GEO_CELLS])
{
    struct area bounds = bounds_of(s), middle;
    double radius = s->is_box
                        ? sqrt((s->width / 2) * (s->width / 2) + (s->height / 2) * (s->height / 2))
                        : s->radius;
    unsigned step = step_for(radius * s->unit, s->center.lat);

    cells_around(s->center, step, ret);
    if (step > 1 && are_too_small(ret, &bounds))
        cells_around(s->center, --step, ret);
    if (step < 2)
        return;
    middle = area_of(ret[MIDDLE]);
    if (middle.min.lat < bounds.min.lat)
        leave_out(ret, 0, -1);
    if (middle.max.lat > bounds.max.lat)
        leave_out(ret, 0, 1);
    if (middle.min.lon < bounds.min.lon)
        leave_out(ret, -1, 0);
    if (middle.max.lon > bounds.max.lon)
        leave_out(ret, 1, 0);
}

void
geo_scores(struct geo_cell cell, double *from, double *to)
{
    unsigned shift = 2 * GEO_STEPS - 2 * cell.step;

    *from = (double)(cell.bits << shift);
    *to = (double)((cell.bits + 1) << shift);
}
