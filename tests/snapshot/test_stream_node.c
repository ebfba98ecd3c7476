/* tests/snapshot/test_stream_node.c - nodes of streams that have nothing, or claim what cannot
 * be. */
#include "snapshot/rdb/stream_node.h"

#include <check.h>
#include <string.h>

#include "tests/snapshot/spell.h"
#include "tests/support/runner.h"

static const struct stream_id first = {5, 0};

/* One item that lives, of the master's one field. */
#define ITEM " 02 01 00 01 00 01 81 'v' 02 04 01 "

static const struct {
    const char *node, *wrong; /* NULL: nothing */
} nodes[] = {
    {"( 10 : 01 01 00 01 01 01 81 'f' 02 00 01" ITEM ")", NULL},
    {"( 10 : df ff 02 00 01 01 01 81 'f' 02 00 01" ITEM ")", "a wrong master entry"},
    {"( 10 : 01 01 df ff 02 01 01 81 'f' 02 00 01" ITEM ")", "a wrong master entry"},
    {"( 10 : 01 01 00 01 df ff 02 81 'f' 02 00 01" ITEM ")", "a wrong master entry"},
    {"( 10 : 01 01 00 01 01 01 81 'f' 02 df ff 02" ITEM ")", "a wrong master entry"},
    {"( 10 : 01 01 00 01 00 01 81 'f' 02 00 01" ITEM ")", "a wrong master entry"},
    {"( 10 : 81 'l' 02 00 01 01 01 81 'f' 02 00 01" ITEM ")", "a wrong master entry"},
    {"( 10 : 02 01 00 01 01 01 81 'f' 02 00 01" ITEM ")", "a wrong number of entries"},
    {"( 5 : 00 01 00 01 01 01 81 'f' 02 00 01 )", "a wrong number of entries"},
    {"( 0 : )", "a wrong master entry"},
};

START_TEST(a_wrong_node_is_refused_with_the_reason)
{
    struct stream_node_sum sum;
    struct spelled s = spell(nodes[_i].node);
    const char *wrong = stream_node_validate(s.bytes, s.len, first, &sum);

    if (nodes[_i].wrong != NULL) {
        ck_assert_ptr_nonnull(wrong);
        ck_assert_str_eq(wrong, nodes[_i].wrong);
    } else {
        ck_assert_msg(wrong == NULL, "%s", wrong);
        ck_assert_uint_eq(sum.live, 1);
    }
}
END_TEST

/* No reader lets such a node in; one whose last item goes is it for a moment. */
START_TEST(a_node_without_items_has_no_first_and_no_last)
{
    struct spelled s = spell("( 5 : 00 01 00 01 01 01 81 'f' 02 00 01 )");
    struct stream_node n;

    stream_node_open(&n, s.bytes, first);
    ck_assert_uint_eq(n.items_at, 0);
    ck_assert_uint_eq(stream_item_last(&n), 0);
    ck_assert_uint_eq(n.fields, 1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("snapshot/stream_node");
    TCase *t = tcase_create("stream_node");

    tcase_add_loop_test(t, a_wrong_node_is_refused_with_the_reason, 0,
                        sizeof nodes / sizeof *nodes);
    tcase_add_test(t, a_node_without_items_has_no_first_and_no_last);
    suite_add_tcase(s, t);
    return run_suite(s);
}
