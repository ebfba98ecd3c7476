/* server/commands/geo/geo.h - what the commands on places share.
 * Threads: mutator. */
#ifndef SERVER_COMMANDS_GEO_GEO_H
#define SERVER_COMMANDS_GEO_GEO_H

#include <stdbool.h>

#include "server/data/zset/geo.h"

struct client;
struct record;
struct slice;

/* geo_arg_point: longitude and latitude at argument i.  False, and an error was replied. */
bool geo_arg_point(struct client *c, int i, struct geo_point *ret);
/* geo_arg_unit: metres of M, KM, FT or MI.  False, and an error was replied. */
bool geo_arg_unit(struct client *c, int i, double *ret);
/* geo_member: where a member of the sorted set is; false: r is NULL or has no such member. */
bool geo_member(const struct record *r, struct slice member, struct geo_point *ret,
                double *ret_score);
/* geo_reply_distance: with four decimals.  geo_reply_point: longitude and latitude. */
void geo_reply_distance(struct client *c, double units);
void geo_reply_point(struct client *c, struct geo_point p);

#endif
