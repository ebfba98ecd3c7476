/* tests/server/test_geo.c - places, distances, the cells of a search, and GEO commands without
 * memory. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/data/zset/geo.h"
#include "tests/support/runner.h"
#include "tests/support/talk.h"

enum { PLACES = 4000, SHAPES = 400 };

static double
between(double from, double to)
{
    return from + (to - from) * drand48();
}

static struct geo_point
any_place(void)
{
    return (struct geo_point){.lon = between(-180, 180), .lat = between(-85, 85)};
}

START_TEST(a_score_gives_the_place_back_to_half_a_cell)
{
    double half_lon = 360.0 / (1 << GEO_STEPS) / 2,
           half_lat = 2 * 85.05112878 / (1 << GEO_STEPS) / 2;

    srand48(1);
    for (int i = 0; i < PLACES; i++) {
        struct geo_point p = any_place(), q = geo_place(geo_score(p));

        ck_assert_double_le(fabs(p.lon - q.lon), half_lon * 1.0001);
        ck_assert_double_le(fabs(p.lat - q.lat), half_lat * 1.0001);
        ck_assert_double_eq(geo_score(q), geo_score(p));
        ck_assert_double_lt(geo_score(p), 4503599627370496.0); /* 52 bits */
    }
}
END_TEST

START_TEST(limits_are_those_of_the_map)
{
    static const struct {
        struct geo_point p;
        bool valid;
    } rows[] = {{{180, 85.05112878}, true}, {{-180, -85.05112878}, true}, {{180.0001, 0}, false},
                {{0, 85.05112879}, false},  {{0, -85.0512}, false},       {{-180.1, 0}, false}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(geo_is_valid(rows[i].p), rows[i].valid);
}
END_TEST

START_TEST(distances_are_those_of_a_sphere)
{
    struct geo_point here = {13.361389, 38.115556}, there = {15.087269, 37.502669}, pole = {0, 85},
                     other = {180, 85};
    double radius = 6372797.560856;

    ck_assert_double_eq_tol(geo_distance(here, there), 166274.15, 0.5);
    ck_assert_double_eq(geo_distance(here, here), 0);
    ck_assert_double_eq_tol(geo_distance(here, there), geo_distance(there, here), 1e-6);
    /* across the pole */
    ck_assert_double_eq_tol(geo_distance(pole, other), radius * 10 / 180 * M_PI, 1);
    ck_assert_double_eq_tol(
        geo_distance((struct geo_point){-179.5, 0}, (struct geo_point){179.5, 0}),
        radius / 180 * M_PI, 1);
}
END_TEST

static struct geo_shape
any_shape(void)
{
    struct geo_shape s = {.center = {between(-179, 179), between(-70, 70)},
                          .is_box = lrand48() % 2 == 1,
                          .unit = 1000};
    double size = exp(between(0, log(3000)));

    s.radius = size;
    s.width = size * between(0.2, 2);
    s.height = size * between(0.2, 2);
    return s;
}

static bool
is_in_a_cell(const struct geo_cell cells[GEO_CELLS], double score)
{
    for (int i = 0; i < GEO_CELLS; i++) {
        double from, to;

        if (cells[i].step == 0)
            continue;
        geo_scores(cells[i], &from, &to);
        if (score >= from && score < to)
            return true;
    }
    return false;
}

/* near: a place that has a fair chance to be in the shape. */
static struct geo_point
near(const struct geo_shape *s)
{
    double degrees = s->radius / 111;
    struct geo_point p = {s->center.lon +
                              between(-degrees, degrees) / cos(s->center.lat / 180 * M_PI),
                          s->center.lat + between(-degrees, degrees)};

    p.lon = fmod(p.lon + 540, 360) - 180;
    p.lat = fmax(-85, fmin(85, p.lat));
    return geo_place(geo_score(p));
}

START_TEST(what_is_in_a_shape_is_in_one_of_its_cells)
{
    unsigned inside = 0;

    srand48(2);
    for (int i = 0; i < SHAPES; i++) {
        struct geo_shape s = any_shape();
        struct geo_cell cells[GEO_CELLS];

        geo_cells(&s, cells);
        for (int k = 0; k < 200; k++) {
            struct geo_point p = near(&s);
            double distance;

            if (!geo_contains(&s, p, &distance))
                continue;
            inside++;
            ck_assert_double_eq(distance, geo_distance(s.center, p));
            ck_assert_msg(is_in_a_cell(cells, geo_score(p)),
                          "shape %d of %.3f km at %.6f %.6f: %.6f %.6f", i, s.radius, s.center.lon,
                          s.center.lat, p.lon, p.lat);
        }
    }
    ck_assert_uint_gt(inside, SHAPES * 10);
}
END_TEST

START_TEST(a_search_finds_what_a_look_at_each_place_finds)
{
    static struct geo_point places[PLACES];

    srand48(3);
    for (int i = 0; i < PLACES; i++) {
        struct geo_point p = {between(0, 20), between(40, 55)};

        ck_assert_str_eq(talk("geoadd g %.12f %.12f p%d", p.lon, p.lat, i), ":1\r\n");
        places[i] = geo_place(geo_score(p));
    }
    for (int i = 0; i < 100; i++) {
        struct geo_shape s = {
            .center = {between(0, 20), between(40, 55)}, .unit = 1000, .is_box = i % 2 == 1};
        unsigned want = 0;
        const char *reply;
        double distance;

        s.radius = between(1, 400);
        s.width = between(1, 600);
        s.height = between(1, 600);
        reply = s.is_box ? talk("geosearch g fromlonlat %.17g %.17g bybox %.17g %.17g km",
                                s.center.lon, s.center.lat, s.width, s.height)
                         : talk("geosearch g fromlonlat %.17g %.17g byradius %.17g km",
                                s.center.lon, s.center.lat, s.radius);
        for (int k = 0; k < PLACES; k++) {
            char name[32];
            bool is_there;

            snprintf(name, sizeof name, "\np%d\r", k);
            is_there = strstr(reply, name) != NULL;
            ck_assert_int_eq(is_there, geo_contains(&s, places[k], &distance));
            want += is_there;
        }
        ck_assert_uint_eq(strtoul(reply + 1, NULL, 10), want);
    }
}
END_TEST

#ifdef STILLFRAME_FAULTS
static const char *const writes[] = {
    "geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 2.349014 48.864716 Paris",
    "geoadd g ch 13.5 38.2 a 9 9 new",
    "geoadd fresh 13.361389 38.115556 Palermo",
    "geosearchstore d g fromlonlat 10 10 byradius 5000 km asc count 50",
    "geosearchstore g g fromlonlat 10 10 bybox 4000 4000 km",
    "geosearchstore d g fromlonlat 10 10 byradius 5000 km storedist",
    "georadius g 10 10 3000 km store d",
    "georadiusbymember g p1 3000 km storedist d",
};

static void
fill(void)
{
    talk("geoadd g 13 38 a 14 39 b");
    for (int i = 0; i < 60; i++)
        talk("geoadd g %d %d p%d", i % 20, i % 30, i);
    talk("zadd d 1 other");
    talk("expire d 100");
}

START_TEST(a_write_without_memory_changes_nothing)
{
    unsigned refused = 0;

    talk("config set zset-max-listpack-entries %d", _i == 0 ? 128 : 4);
    for (unsigned w = 0; w < sizeof writes / sizeof *writes; w++)
        refused += talk_starve(fill, writes[w], false);
    ck_assert_uint_gt(refused, 0);
    talk("flushall");
    talk_finish_work();
    ck_assert_uint_eq(talk_live_bytes(), 0);
}
END_TEST
#endif

int
main(void)
{
    Suite *s = suite_create("server/geo");
    TCase *t = tcase_create("geo");

    tcase_add_checked_fixture(t, talk_open, talk_close);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, a_score_gives_the_place_back_to_half_a_cell);
    tcase_add_test(t, limits_are_those_of_the_map);
    tcase_add_test(t, distances_are_those_of_a_sphere);
    tcase_add_test(t, what_is_in_a_shape_is_in_one_of_its_cells);
    tcase_add_test(t, a_search_finds_what_a_look_at_each_place_finds);
#ifdef STILLFRAME_FAULTS
    tcase_add_loop_test(t, a_write_without_memory_changes_nothing, 0, 2);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
