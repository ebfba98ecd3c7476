/* tests/support/scenarios.h - one write of each kind, and the data that it finds.  test_barriers.c
 * runs each between a cut and its sweep; test_steps.c runs each at every point of the sweep. */
#ifndef TESTS_SUPPORT_SCENARIOS_H
#define TESTS_SUPPORT_SCENARIOS_H

#define FIELDS_20                                                                                  \
    "hset h f1 v1 f2 v2 f3 v3 f4 v4 f5 v5 f6 v6 f7 v7 f8 v8 f9 v9 f10 v10;"                        \
    "hset h f11 v1 f12 v2 f13 v3 f14 v4 f15 v5 f16 v6 f17 v7 f18 v8 f19 v9 f20 v10;"
#define AS_TABLE                                                                                   \
    "hset h long @70*x;" /* a value above hash-max-listpack-value makes it a hashtable */

/* clang-format off */
#define SET_150 \
    "hset h p1 1 p2 2 p3 3 p4 4 p5 5 p6 6 p7 7 p8 8 p9 9 p10 10 p11 11 p12 12 p13 13 p14 14 p15 15 p16 16 p17 17 p18 18 p19 19 p20 20 p21 21 p22 22 p23 23 p24 24 p25 25;" \
    "hset h q1 1 q2 2 q3 3 q4 4 q5 5 q6 6 q7 7 q8 8 q9 9 q10 10 q11 11 q12 12 q13 13 q14 14 q15 15 q16 16 q17 17 q18 18 q19 19 q20 20 q21 21 q22 22 q23 23 q24 24 q25 25;" \
    "hset h r1 1 r2 2 r3 3 r4 4 r5 5 r6 6 r7 7 r8 8 r9 9 r10 10 r11 11 r12 12 r13 13 r14 14 r15 15 r16 16 r17 17 r18 18 r19 19 r20 20 r21 21 r22 22 r23 23 r24 24 r25 25;" \
    "hset h s1 1 s2 2 s3 3 s4 4 s5 5 s6 6 s7 7 s8 8 s9 9 s10 10 s11 11 s12 12 s13 13 s14 14 s15 15 s16 16 s17 17 s18 18 s19 19 s20 20 s21 21 s22 22 s23 23 s24 24 s25 25;" \
    "hset h t1 1 t2 2 t3 3 t4 4 t5 5 t6 6 t7 7 t8 8 t9 9 t10 10 t11 11 t12 12 t13 13 t14 14 t15 15 t16 16 t17 17 t18 18 t19 19 t20 20 t21 21 t22 22 t23 23 t24 24 t25 25;" \
    "hset h u1 1 u2 2 u3 3 u4 4 u5 5 u6 6 u7 7 u8 8 u9 9 u10 10 u11 11 u12 12 u13 13 u14 14 u15 15 u16 16 u17 17 u18 18 u19 19 u20 20 u21 21 u22 22 u23 23 u24 24 u25 25;"
#define DELETE_150 \
    "hdel h p1 p2 p3 p4 p5 p6 p7 p8 p9 p10 p11 p12 p13 p14 p15 p16 p17 p18 p19 p20 p21 p22 p23 p24 p25;" \
    "hdel h q1 q2 q3 q4 q5 q6 q7 q8 q9 q10 q11 q12 q13 q14 q15 q16 q17 q18 q19 q20 q21 q22 q23 q24 q25;" \
    "hdel h r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15 r16 r17 r18 r19 r20 r21 r22 r23 r24 r25;" \
    "hdel h s1 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 s12 s13 s14 s15 s16 s17 s18 s19 s20 s21 s22 s23 s24 s25;" \
    "hdel h t1 t2 t3 t4 t5 t6 t7 t8 t9 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20 t21 t22 t23 t24 t25;" \
    "hdel h u1 u2 u3 u4 u5 u6 u7 u8 u9 u10 u11 u12 u13 u14 u15 u16 u17 u18 u19 u20 u21 u22 u23 u24 u25;"
#define CHANGE_25 "hset h p1 x p2 x p3 x p4 x p5 x p6 x p7 x p8 x p9 x p10 x p11 x p12 x p13 x p14 x p15 x p16 x p17 x p18 x p19 x p20 x p21 x p22 x p23 x p24 x p25 x;"
/* clang-format on */

#define SCENARIO_MACROS
#include "tests/support/scenarios_set.def"
#include "tests/support/scenarios_stream.def"
#include "tests/support/scenarios_timed.def"
#undef SCENARIO_MACROS

struct scenario {
    const char *name, *setup, *write;
};

static const struct scenario scenarios[] = {
#include "tests/support/scenarios_bits.def"
#include "tests/support/scenarios_hll.def"
    {"overwrite_a_string", "set a old;set b other", "set a new-value"},
    {"overwrite_a_large_string", "set a @5000*x;set b other", "set a @5000*y"},
    {"overwrite_with_an_expiry", "set a old", "set a new px 100000"},
    {"change_an_integer_in_place", "set a 41", "incr a"},
    {"change_an_integer_that_has_an_expiry", "set a 41;pexpireat a 99999999999999", "incr a"},
    {"append_to_a_small_string", "set a old", "append a -and-new"},
    {"append_to_a_large_string", "set a @5000*x", "append a -and-new"},
    {"append_to_a_huge_string", "set a @1200000*x", "append a @1000*y"},
    {"a_huge_string_grows_and_is_changed_on_both_sides_of_its_old_end", "set a @1200000*x",
     "append a @100000*y;setrange a 1199990 @20*z;setrange a 1290000 @20000*w;setrange a 0 Z"},
    {"a_large_string_gets_room_and_grows_into_it", "set a @40000*x;append a y",
     "append a @30000*y;setrange a 39990 @20*z;append a tail"},
    {"setrange_in_a_small_string", "set a 0123456789abc", "setrange a 3 XYZ"},
    {"setrange_in_a_large_string", "set a @5000*x", "setrange a 100 XYZ"},
    {"setrange_in_a_huge_string", "set a @1200000*x", "setrange a 700000 XYZ"},
    {"setrange_beyond_the_end", "set a @5000*x", "setrange a 5100 XYZ"},
    {"replace_by_an_expiry", "set a old", "pexpireat a 99999999999999"},
    {"change_an_expiry", "set a old;pexpireat a 88888888888888", "pexpireat a 99999999999999"},
    {"change_an_expiry_of_a_key_too_large_to_replace",
     "set @3000*k old;pexpireat @3000*k 88888888888888", "pexpireat @3000*k 99999999999999"},
    {"change_an_integer_of_a_key_too_large_to_replace", "set @3000*k 41", "incr @3000*k"},
    {"set_a_key_too_large_to_replace", "set @3000*k @4000*x",
     "append @3000*k tail;setrange @3000*k 5 ABC"},
    {"append_below_a_key_too_large_to_replace", "set @3000*k short", "append @3000*k tail"},
    {"grow_a_string_below_a_key_too_large_to_replace", "set @3000*k @4000*x",
     "append @3000*k @9000*y"},
    {"hash_below_a_key_too_large_to_replace", "hset @3000*k f @2000*x g @2000*y",
     "hset @3000*k f @2000*z n 1;hdel @3000*k g"},
    {"listpack_below_a_key_too_large_to_replace", "hset @3000*k f 1 g 2",
     "hset @3000*k f 3 n 1;hdel @3000*k g"},
    {"convert_below_a_key_too_large_to_replace", "hset @3000*k f 1 g 2", "hset @3000*k f @100*x"},
    {"remove_an_expiry", "set a old px 100000", "persist a"},
    {"delete_a_string", "set a old;set b other", "del a"},
    {"delete_a_large_string", "set a @5000*x;set b other", "del a;set c @5000*y"},
    {"delete_a_huge_string", "set a @1200000*x", "del a;set c @1200000*y"},
    {"delete_and_set_again", "set a old", "del a;set a new;del a;set a newer"},
    {"rename", "set a old;set b other", "rename a b"},
    {"rename_takes_a_large_value_over", "set a @5000*x;set b @5000*y",
     "rename a b;setrange b 10 ZZ;append b tail"},
    {"rename_takes_a_table_over", FIELDS_20 AS_TABLE, "rename h g;hset g f1 new;hdel g f2;del g"},
    {"move", "set a @5000*x", "move a 3"},
    {"copy_to_another_database", "set a @5000*x;hset h f v", "copy a a db 2;copy h h db 2"},
    {"swapdb", "set a old;select 1;set b one;select 0", "swapdb 0 1;set c new;set a newer"},
    {"flushdb", "set a old;hset h f v;select 1;set b one;select 0", "flushdb;set a new"},
    {"flushall", "set a old;hset h f v;select 1;set b one;select 0",
     "flushall;set a new;set c @5000*z"},
    {"change_a_small_hash", "hset h f1 v1 f2 v2", "hset h f1 new"},
    {"grow_a_small_hash", "hset h f1 v1 f2 v2", "hset h f3 v3 f4 v4"},
    {"shrink_a_small_hash", "hset h f1 v1 f2 v2", "hdel h f1"},
    {"change_a_listpack_outside_the_record",
     FIELDS_20
     "hset h a1 @60*a a2 @60*a a3 @60*a a4 @60*a a5 @60*a a6 @60*a a7 @60*a a8 @60*a a9 @60*a a10 @60*a;"
     "hset h b1 @60*a b2 @60*a b3 @60*a b4 @60*a b5 @60*a b6 @60*a b7 @60*a b8 @60*a b9 @60*a b10 @60*a",
     "hset h a1 @60*b;hdel h b10;hset h b10 1"},
    {"count_in_a_small_hash", "hset h n 41", "hincrby h n 1"},
    {"empty_a_small_hash", "hset h f v;set b other", "hdel h f"},
    {"convert_a_hash", FIELDS_20, AS_TABLE},
    {"change_a_field_of_a_table", FIELDS_20 AS_TABLE, "hset h f1 w1"},
    {"change_a_large_field_of_a_table", FIELDS_20 AS_TABLE, "hset h long @70*y;hset h long @75*z"},
    {"count_in_a_table", AS_TABLE "hset h n 41", "hincrby h n 1"},
    {"add_a_field_to_a_table", FIELDS_20 AS_TABLE, "hset h new-field new-value"},
    {"grow_a_table", FIELDS_20 AS_TABLE,
     "hset h g1 1 g2 2 g3 3 g4 4 g5 5 g6 6 g7 7 g8 8 g9 9 g10 1 g11 1 g12 1 g13 1 g14 1 g15 1 g16 1 g17 1 "
     "g18 1 g19 1;"
     "hset h k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7 k8 8 k9 9 k10 1 k11 1 k12 1 k13 1 k14 1 k15 1 k16 1 k17 1 "
     "k18 1 k19 1;"
     "hset h l1 1 l2 2 l3 3 l4 4 l5 5 l6 6 l7 7 l8 8 l9 9 l10 1 l11 1 l12 1 l13 1 l14 1 l15 1 l16 1 l17 1 "
     "l18 1 l19 1;"
     "hset h m1 1 m2 2 m3 3 m4 4 m5 5 m6 6 m7 7 m8 8 m9 9 m10 1 m11 1 m12 1 m13 1 m14 1 m15 1 m16 1 m17 1 "
     "m18 1 m19 1;"
     "hset h n1 1 n2 2 n3 3 n4 4 n5 5 n6 6 n7 7 n8 8 n9 9 n10 1 n11 1 n12 1 n13 1 n14 1 n15 1 n16 1 n17 1 "
     "n18 1 n19 1"},
    {"shrink_a_table_and_grow_it_again", /* the other tables put its root across a page's edge */
     "hset x long @70*x;hset y long @70*x;hset z long @70*x;" AS_TABLE SET_150,
     DELETE_150 SET_150 CHANGE_25},
    {"remove_a_field_from_a_table", FIELDS_20 AS_TABLE, "hdel h f1 f2 f3"},
    {"empty_a_table", FIELDS_20 AS_TABLE,
     "hdel h f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19 f20;hdel h long;set x @70*x"},
    {"delete_a_table", FIELDS_20 AS_TABLE, "del h;hset g a @70*a b @70*b c @70*c d @70*d"},
    {"new_keys", "set a old", "mset n1 1 n2 2 n3 3 n4 4 n5 5"},
    {"a_transaction", "set a 1;set b 2", "multi;incr a;incr b;del a;set c 3;exec"},
    {"string_becomes_hash", "set a old", "del a;hset a f v"},
    {"hash_becomes_string", FIELDS_20 AS_TABLE, "set h text"},
#include "tests/support/scenarios_list.def"
#include "tests/support/scenarios_set.def"
#include "tests/support/scenarios_stream.def"
#include "tests/support/scenarios_timed.def"
#include "tests/support/scenarios_zset.def"
/* with the words of the others */
#include "tests/support/scenarios_move.def"
};
enum { SCENARIO_COUNT = sizeof scenarios / sizeof *scenarios };

#endif
