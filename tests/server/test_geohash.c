/* tests/server/test_geohash.c - places as numbers, and cells that cover a shape. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "server/data/geohash.h"

static const struct geo_point palermo = {13.361389, 38.115556}, catania = {15.087269, 37.502669};

START_TEST(the_places_of_the_documentation_have_its_numbers)
{
    char text[GEO_TEXT_BYTES];

    ck_assert_uint_eq(geo_encode(palermo), 3479099956230698ULL);
    ck_assert_uint_eq(geo_encode(catania), 3479447370796909ULL);
    geo_text(geo_encode(palermo), text);
    ck_assert_str_eq(text, "sqc8b49rny0");
    geo_text(geo_encode(catania), text);
    ck_assert_str_eq(text, "sqdtr74hyu0");
    ck_assert_double_eq_tol(geo_distance_m(geo_decode(geo_encode(palermo)), geo_decode(geo_encode(catania))),
                            166274.1516, 0.00005);
}
END_TEST

static struct geo_point
random_point(double latitude_max)
{
    return (struct geo_point){drand48() * 360 - 180, (drand48() * 2 - 1) * latitude_max};
}

START_TEST(what_is_encoded_comes_back_within_a_metre)
{
    srand48(1);
    for (int i = 0; i < 100000; i++) {
        struct geo_point p = random_point(GEO_LATITUDE_MAX);

        ck_assert(geo_distance_m(p, geo_decode(geo_encode(p))) < 1);
    }
}
END_TEST

/* Every point of the shape lies in one of the ranges, and no two ranges share a number. */
START_TEST(the_cells_cover_the_shape)
{
    srand48(2);
    for (int i = 0; i < 20000; i++) {
        struct geo_shape s = {.center = random_point(70), .is_box = i % 2 != 0};
        double size = exp(drand48() * 13); /* 1 m to 440 km */
        struct geo_range range[GEO_CELLS];
        unsigned count, hits = 0;
        struct geo_point p;
        double distance;
        uint64_t bits;

        s.radius_m = s.width_m = s.height_m = size;
        count = geo_cover(&s, range);
        for (unsigned a = 0; a < count; a++)
            for (unsigned b = 0; b < a; b++)
                ck_assert(range[a].max <= range[b].min || range[b].max <= range[a].min);
        p = s.center;
        p.latitude += (drand48() * 2 - 1) * size / 111195;
        p.longitude += (drand48() * 2 - 1) * size / 111195 / cos(s.center.latitude * M_PI / 180);
        if (!geo_is_on_map(p) || !geo_in_shape(&s, geo_decode(geo_encode(p)), &distance))
            continue;
        bits = geo_encode(p);
        for (unsigned a = 0; a < count; a++)
            hits += bits >= range[a].min && bits < range[a].max;
        ck_assert_uint_eq(hits, 1);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("server/geohash");
    TCase *t = tcase_create("geohash");
    SRunner *r;
    int failed;

    tcase_add_test(t, the_places_of_the_documentation_have_its_numbers);
    tcase_add_test(t, what_is_encoded_comes_back_within_a_metre);
    tcase_add_test(t, the_cells_cover_the_shape);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
