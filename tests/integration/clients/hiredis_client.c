/* tests/integration/clients/hiredis_client.c - hiredis as a program uses it: commands, pipelines,
 * binary values, transactions, messages; a pipeline that is written as a whole before the first
 * reply is read. hiredis_client PORT SOCKET; status 0: all as expected. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "hiredis_client.c:%d: %s\n", __LINE__, #condition);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static redisContext *
open_context(int port)
{
    redisContext *c = redisConnect("127.0.0.1", port);

    CHECK(c != NULL && c->err == 0);
    return c;
}

static void
check_commands(redisContext *c)
{
    redisReply *r = redisCommand(c, "SET %b %b", "bin\0key", (size_t)7, "v\r\n\0x", (size_t)5);

    CHECK(r != NULL && r->type == REDIS_REPLY_STATUS && strcmp(r->str, "OK") == 0);
    freeReplyObject(r);
    r = redisCommand(c, "GET %b", "bin\0key", (size_t)7);
    CHECK(r != NULL && r->type == REDIS_REPLY_STRING && r->len == 5 &&
          memcmp(r->str, "v\r\n\0x", 5) == 0);
    freeReplyObject(r);
    r = redisCommand(c, "GET nothing");
    CHECK(r != NULL && r->type == REDIS_REPLY_NIL);
    freeReplyObject(r);
    r = redisCommand(c, "HGET %b f", "bin\0key", (size_t)7);
    CHECK(r != NULL && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "WRONGTYPE", 9) == 0);
    freeReplyObject(r);
}

static void
check_pipeline(redisContext *c)
{
    enum { COUNT = 10000 };
    redisReply *r;

    for (int i = 0; i < COUNT; i++)
        CHECK(redisAppendCommand(c, "INCRBY counter %d", i) == REDIS_OK);
    for (long long i = 0, sum = 0; i < COUNT; i++) {
        sum += i;
        CHECK(redisGetReply(c, (void **)&r) == REDIS_OK);
        CHECK(r->type == REDIS_REPLY_INTEGER && r->integer == sum);
        freeReplyObject(r);
    }
}

static void
check_transaction(redisContext *c)
{
    redisReply *r;

    freeReplyObject(redisCommand(c, "MULTI"));
    freeReplyObject(redisCommand(c, "SET a 1"));
    freeReplyObject(redisCommand(c, "INCR a"));
    r = redisCommand(c, "EXEC");
    CHECK(r != NULL && r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
          r->element[1]->integer == 2);
    freeReplyObject(r);
}

static void
check_messages(redisContext *c, redisContext *listener)
{
    redisReply *r = redisCommand(listener, "SUBSCRIBE news");

    CHECK(r != NULL && r->type == REDIS_REPLY_ARRAY && r->elements == 3);
    freeReplyObject(r);
    r = redisCommand(c, "PUBLISH news hello");
    CHECK(r != NULL && r->integer == 1);
    freeReplyObject(r);
    CHECK(redisGetReply(listener, (void **)&r) == REDIS_OK);
    CHECK(r->elements == 3 && strcmp(r->element[2]->str, "hello") == 0);
    freeReplyObject(r);
}

static void
check_big_value(redisContext *c)
{
    size_t len = 10 << 20;
    char *big = malloc(len);
    redisReply *r;

    CHECK(big != NULL);
    for (size_t i = 0; i < len; i++)
        big[i] = (char)(i * 7);
    freeReplyObject(redisCommand(c, "SET big %b", big, len));
    r = redisCommand(c, "GET big");
    CHECK(r != NULL && r->type == REDIS_REPLY_STRING && r->len == len &&
          memcmp(r->str, big, len) == 0);
    freeReplyObject(r);
    free(big);
}

/* More requests and more replies than sockets hold: the server has to go on reading although nobody
 * reads. */
static void
check_unread_pipeline(const char *socket)
{
    enum { COUNT = 10000, ELEMENTS = 500 };
    redisContext *c = redisConnectUnix(socket);
    redisReply *r;

    CHECK(c != NULL && c->err == 0);
    for (int i = 0; i < ELEMENTS; i++)
        freeReplyObject(redisCommand(c, "RPUSH mylist element:%d", i));
    for (int i = 0; i < COUNT; i++)
        CHECK(redisAppendCommand(c, "LRANGE mylist 0 %d", ELEMENTS - 1) == REDIS_OK);
    for (int i = 0; i < COUNT; i++) {
        CHECK(redisGetReply(c, (void **)&r) == REDIS_OK);
        CHECK(r->type == REDIS_REPLY_ARRAY && r->elements == ELEMENTS);
        CHECK(strcmp(r->element[0]->str, "element:0") == 0 &&
              strcmp(r->element[ELEMENTS - 1]->str, "element:499") == 0);
        freeReplyObject(r);
    }
    redisFree(c);
}

int
main(int argc, char *argv[])
{
    redisContext *c, *listener;

    CHECK(argc == 3);
    c = open_context(atoi(argv[1]));
    listener = open_context(atoi(argv[1]));
    check_commands(c);
    check_pipeline(c);
    check_transaction(c);
    check_messages(c, listener);
    check_big_value(c);
    check_unread_pipeline(argv[2]);
    redisFree(c);
    redisFree(listener);
    puts("ok");
    return 0;
}
