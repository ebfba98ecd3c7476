/* tests/fuzz/fuzz_scripts.c - EVAL of programs that mean harm.
 *
 * The first byte says what the rest is: a program's text; the choices of a grammar that makes one
 * of all that a script finds, with arguments that have hurt before; bytes for the decoders and the
 * patterns; or a function library.  Each has 16 MB and a tenth of a second of the processor, then
 * it is ended as by SCRIPT KILL.
 *
 * Properties: a script gives exactly one reply, whole; its memory is within script-memory-limit;
 * the next script finds every function as it was; what decodes is encoded to what is decoded
 * again. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "mm/base/must.h"
#include "mm/base/text.h"
#include "server/scripts/engine.h"
#include "server/scripts/scripts_impl.h"
#include "tests/support/talk.h"

enum {
    LIMIT_BYTES = 16 << 20,
    SPARE_BYTES = 1 << 20, /* the state's own, before any script */
    LIMIT_US = 100000,
    DEPTH_MAX = 6,
    PROGRAM_MAX_BYTES = 8192
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__asan_default_options(void);

/* What only the arena points to is not seen. */
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* ---- programs of a grammar ---- */

struct maker {
    const uint8_t *at, *end;
    struct text out;
};

static const char *const atoms[] = {"nil",
                                    "true",
                                    "false",
                                    "0",
                                    "1",
                                    "-1",
                                    "3.99",
                                    "2^31",
                                    "-2^31",
                                    "2^31-1",
                                    "2^53",
                                    "1e300",
                                    "1/0",
                                    "0/0",
                                    "''",
                                    "'a'",
                                    "'a1b2'",
                                    "'%d+'",
                                    "'(.-)b'",
                                    "'\\0'",
                                    "'k'",
                                    "'l'",
                                    "KEYS",
                                    "ARGV",
                                    "ARGV[1]",
                                    "{}",
                                    "{1,2,3}",
                                    "{a=1}",
                                    "redis",
                                    "string",
                                    "_G",
                                    "table.insert",
                                    "error",
                                    "pcall",
                                    "tostring",
                                    "a",
                                    "b",
                                    "c",
                                    "cjson.null",
                                    "{{},{{}}}",
                                    "('x'):rep(1000)",
                                    "('x'):rep(2^20)",
                                    "'%5.1f'",
                                    "'>I2i4'",
                                    "'bc0s'",
                                    "'[1,{\"a\":null}]'",
                                    "'\\145\\129\\1\\192'",
                                    "{map={a=1}}",
                                    "{set={a=true}}",
                                    "{double=1.5}",
                                    "{ok='x'}",
                                    "{err='x y'}",
                                    "{big_number='1'}",
                                    "{verbatim_string={format='txt',string='x'}}"};

static const char *const functions[] = {"redis.call",
                                        "redis.pcall",
                                        "redis.sha1hex",
                                        "redis.error_reply",
                                        "redis.status_reply",
                                        "redis.setresp",
                                        "redis.log",
                                        "redis.set_repl",
                                        "redis.acl_check_cmd",
                                        "cjson.encode",
                                        "cjson.decode",
                                        "cmsgpack.pack",
                                        "cmsgpack.unpack",
                                        "cmsgpack.unpack_one",
                                        "cmsgpack.unpack_limit",
                                        "struct.pack",
                                        "struct.unpack",
                                        "struct.size",
                                        "bit.tohex",
                                        "bit.band",
                                        "bit.lshift",
                                        "bit.bswap",
                                        "string.rep",
                                        "string.format",
                                        "string.find",
                                        "string.match",
                                        "string.gsub",
                                        "string.sub",
                                        "string.byte",
                                        "string.char",
                                        "string.dump",
                                        "string.upper",
                                        "table.insert",
                                        "table.remove",
                                        "table.concat",
                                        "table.sort",
                                        "table.maxn",
                                        "table.foreach",
                                        "unpack",
                                        "select",
                                        "next",
                                        "pairs",
                                        "ipairs",
                                        "rawget",
                                        "rawset",
                                        "rawequal",
                                        "setmetatable",
                                        "getmetatable",
                                        "tonumber",
                                        "tostring",
                                        "type",
                                        "pcall",
                                        "xpcall",
                                        "error",
                                        "assert",
                                        "load",
                                        "loadstring",
                                        "collectgarbage",
                                        "math.random",
                                        "math.floor",
                                        "math.fmod",
                                        "coroutine.wrap",
                                        "coroutine.create",
                                        "coroutine.resume",
                                        "coroutine.yield",
                                        "coroutine.status",
                                        "a",
                                        "b",
                                        "cjson.encode_sparse_array",
                                        "cjson.encode_max_depth",
                                        "cjson.decode_max_depth"};

static const char *const commands[] = {"'set','k',",
                                       "'get','k'",
                                       "'incr','k'",
                                       "'rpush','l',1,2,",
                                       "'lrange','l',0,-1",
                                       "'hset','h','f',",
                                       "'hgetall','h'",
                                       "'sadd','s',",
                                       "'smembers','s'",
                                       "'zadd','z',1,",
                                       "'zrange','z',0,-1,'withscores'",
                                       "'sort','l','get','#'",
                                       "'del','k','l'",
                                       "'xadd','x','*','f',",
                                       "'xrange','x','-','+'",
                                       "'eval','return 1',0",
                                       "'multi'",
                                       "'nosuch',",
                                       "'echo',",
                                       "'mget',",
                                       "'expire','k',"};

static const char *const operators[] = {"+",  "-", "*",  "/",     "%",    "^", "..",
                                        "==", "<", "<=", " and ", " or ", "~="};
static const char *const events[] = {"__index", "__newindex", "__call",      "__tostring",
                                     "__len",   "__lt",       "__eq",        "__concat",
                                     "__gc",    "__mode",     "__metatable", "__unm"};

static unsigned
draw(struct maker *m, unsigned count)
{
    return m->at < m->end ? *m->at++ % count : 0;
}

#define ONE_OF(m, list) (list)[draw(m, sizeof(list) / sizeof((list)[0]))]

static void make_expression(struct maker *m, int depth);
static void make_statements(struct maker *m, int depth);

static void
make_arguments(struct maker *m, int depth)
{
    unsigned count = draw(m, 4);

    for (unsigned i = 0; i < count; i++) {
        text_add(&m->out, i > 0 ? "," : "");
        make_expression(m, depth);
    }
}

static void
make_call(struct maker *m, int depth)
{
    if (draw(m, 4) == 0) {
        const char *words = ONE_OF(m, commands);
        text_add(&m->out, draw(m, 2) == 0 ? "redis.call(" : "redis.pcall(");
        text_add(&m->out, words);
        if (words[strlen(words) - 1] == ',')
            make_expression(m, depth);
    } else {
        text_add(&m->out, ONE_OF(m, functions));
        text_add(&m->out, "(");
        make_arguments(m, depth);
    }
    text_add(&m->out, ")");
}

static void
make_function(struct maker *m, int depth)
{
    text_add(&m->out, "function(a,b,...) ");
    make_statements(m, depth);
    text_add(&m->out, " return ");
    make_expression(m, depth);
    text_add(&m->out, " end");
}

static void
make_table(struct maker *m, int depth)
{
    text_add(&m->out, "setmetatable({");
    make_arguments(m, depth);
    text_addf(&m->out, "},{%s=", ONE_OF(m, events));
    make_expression(m, depth);
    text_add(&m->out, "})");
}

static void
make_expression(struct maker *m, int depth)
{
    if (depth >= DEPTH_MAX || m->out.len > PROGRAM_MAX_BYTES || m->at == m->end) {
        text_add(&m->out, ONE_OF(m, atoms));
        return;
    }
    switch (draw(m, 8)) {
    case 0:
    case 1:
        make_call(m, depth + 1);
        break;
    case 2:
        text_add(&m->out, "(");
        make_expression(m, depth + 1);
        text_add(&m->out, ONE_OF(m, operators));
        make_expression(m, depth + 1);
        text_add(&m->out, ")");
        break;
    case 3:
        make_function(m, depth + 1);
        break;
    case 4:
        make_table(m, depth + 1);
        break;
    case 5:
        text_add(&m->out, "{");
        make_arguments(m, depth + 1);
        text_add(&m->out, "}");
        break;
    default:
        text_add(&m->out, ONE_OF(m, atoms));
    }
}

static void
make_statement(struct maker *m, int depth)
{
    switch (draw(m, 7)) {
    case 0:
        text_addf(&m->out, "for i=1,%u do ", draw(m, 200));
        make_statements(m, depth + 1);
        text_add(&m->out, " end ");
        break;
    case 1:
        text_add(&m->out, "while ");
        make_expression(m, depth + 1);
        text_add(&m->out, " do ");
        make_statements(m, depth + 1);
        text_add(&m->out, " end ");
        break;
    case 2:
        text_add(&m->out, "pcall(");
        make_function(m, depth + 1);
        text_add(&m->out, ") ");
        break;
    case 3:
        text_addf(&m->out, "%c[#%c+1]=", 'a' + (int)draw(m, 3), 'a' + (int)draw(m, 3));
        make_expression(m, depth + 1);
        text_add(&m->out, " ");
        break;
    case 4:
        make_call(m, depth + 1);
        text_add(&m->out, ";");
        break;
    default:
        text_addf(&m->out, "%c=", 'a' + (int)draw(m, 3));
        make_expression(m, depth + 1);
        text_add(&m->out, " ");
    }
}

static void
make_statements(struct maker *m, int depth)
{
    unsigned count = depth >= DEPTH_MAX ? 0 : 1 + draw(m, 3);

    for (unsigned i = 0; i < count && m->at < m->end && m->out.len < PROGRAM_MAX_BYTES; i++)
        make_statement(m, depth);
}

/* ---- running ---- */

static void
end_script(int signal)
{
    (void)signal;
    if (run_now() != NULL)
        run_now()->is_killed = true;
}

static void
set_timer(int us)
{
    struct itimerval t = {.it_value.tv_usec = us, .it_interval.tv_usec = us};

    must(setitimer(ITIMER_VIRTUAL, &t, NULL) == 0);
}

static const char *
eval(struct slice program, struct slice argument)
{
    struct slice argv[] = {SLICE("eval"), program, SLICE("1"), SLICE("k"), argument};
    const char *reply;

    set_timer(LIMIT_US);
    reply = talk_words(5, argv);
    set_timer(0);
    must(engine_bytes(ENGINE_SCRIPTS) + engine_bytes(ENGINE_FUNCTIONS) <=
         LIMIT_BYTES + SPARE_BYTES);
    return reply;
}

/* reply_end: behind the reply at p, which is whole; the deepest is one of to_reply.c's. */
static const char *
reply_end(const char *p, const char *end)
{
    const char *line = memchr(p, '\n', (size_t)(end - p));
    long count;

    must(line != NULL && line > p && line[-1] == '\r');
    count = strtol(p + 1, NULL, 10);
    switch (*p) {
    case '$':
    case '=':
        must(count < 0 || (end - line >= count + 3 && memcmp(line + 1 + count, "\r\n", 2) == 0));
        return count < 0 ? line + 1 : line + count + 3;
    case '%':
        count *= 2;
        break;
    case '*':
    case '~':
        break;
    default:
        must(strchr("+-:_#,(", *p) != NULL);
        return line + 1;
    }
    for (p = line + 1; count > 0; count--)
        p = reply_end(p, end);
    return p > line ? p : line + 1;
}

static void
check_reply(const char *reply)
{
    const char *end = reply + talk_reply_len();

    must(reply_end(reply, end) == end);
}

static const char sentinel[] =
    "local n=0 for k in pairs(_G) do n=n+1 end "
    "return {n,('a'):upper(),#getmetatable('').__index.rep('x',3),"
    "redis.call('echo','e'),tostring(1),"
    "cjson.encode({1}),cmsgpack.unpack(cmsgpack.pack(7)),struct.size('i4'),"
    "bit.tohex(1),type(string),"
    "type(redis.pcall),math.floor(1.5),table.concat({1,2}),select('#',unpack({1,2})),#KEYS,#ARGV}";

static void
check_sandbox(void)
{
    static struct text first;
    const char *reply = eval(SLICE(sentinel), SLICE("x"));

    must(reply[0] == '*');
    if (first.len == 0)
        text_add(&first, reply);
    must(strcmp(text_str(&first), reply) == 0);
}

/* ---- inputs ---- */

static void
run_program(const uint8_t *data, size_t size)
{
    check_reply(eval((struct slice){(const char *)data, size}, SLICE("[1,2,{\"a\":null}]")));
}

static void
run_made(const uint8_t *data, size_t size)
{
    struct maker m = {.at = data, .end = data + size};

    text_add(&m.out, "local a,b,c={},'x',function(...) return ... end ");
    while (m.at < m.end && m.out.len < PROGRAM_MAX_BYTES)
        make_statement(&m, 1);
    text_add(&m.out, "return ");
    make_expression(&m, DEPTH_MAX);
    must(!m.out.failed);
    check_reply(eval((struct slice){text_str(&m.out), m.out.len}, SLICE("[1,2,{\"a\":null}]")));
    text_free(&m.out);
}

/* What decodes is written, read and written again: as long as before.  (cmsgpack writes nil for
 * what stands too deep, and nil at an array's end is none when it is read: so once more.) */
static const char *const decoders[] = {
    "local p,u=cmsgpack.pack,cmsgpack.unpack local v={u(ARGV[1])} local s=p(u(p(v))) "
    "if #p(u(s))~=#s then return {err='OTHER'} end return v",
    "local v=cjson.decode(ARGV[1]) local s=cjson.encode(v) "
    "if #cjson.encode(cjson.decode(s))~=#s then return {err='OTHER'} end return v",
    "return {struct.unpack(ARGV[1],('\\1\\2\\3\\4\\5\\6\\7\\8'):rep(32))}",
    "return {struct.size(ARGV[1]),#struct.pack(ARGV[1],1,2,3,4,5,6,7,8,9)}",
    "local f=ARGV[1]:match('^.') or '' return {struct.unpack('bs>I4'..f,ARGV[1])}",
    "return {string.find(('ab1 (x) %z'):rep(20),ARGV[1])}",
    "return {string.gsub(('ab1 (x) %z'):rep(20),ARGV[1],'<%0%1>')}",
    "local r={} for a,b in string.gmatch(('ab1 (x) %z'):rep(20),ARGV[1]) do "
    "r[#r+1]=a r[#r+1]=b end return r",
    "return string.format(ARGV[1],1,'a',2.5,7,'b')",
    "return {pcall(string.gsub,'ab1 (x)','(%w)',ARGV[1])}",
    "return {loadstring(ARGV[1])}",
    "return {tonumber(ARGV[1]),redis.sha1hex(ARGV[1]),redis.error_reply(ARGV[1])}",
    "return {redis.status_reply(ARGV[1]),{err=ARGV[1]},{ok=ARGV[1]},{big_number=ARGV[1]},"
    "{verbatim_string={format='txt',string=ARGV[1]}}}"};

static void
run_decoder(const uint8_t *data, size_t size)
{
    const char *decoder = decoders[*data % (sizeof decoders / sizeof decoders[0])], *reply;

    reply = eval((struct slice){decoder, strlen(decoder)},
                 (struct slice){(const char *)data + 1, size - 1});
    check_reply(reply);
    must(strcmp(reply, "-OTHER\r\n") != 0);
}

/* run_library: a program as a function library, and calls of what it may have registered. */
static void
run_library(const uint8_t *data, size_t size)
{
    struct slice argv[] = {SLICE("function"), SLICE("load"), SLICE("replace"), {NULL, 0}};
    struct text t = {0};

    text_add(&t, "#!lua name=l\n");
    text_add_bytes(&t, (const char *)data, size);
    must(!t.failed);
    argv[3] = (struct slice){text_str(&t), t.len};
    set_timer(LIMIT_US);
    check_reply(talk_words(4, argv));
    check_reply(talk("fcall f 1 k a"));
    check_reply(talk("function list"));
    check_reply(talk("function flush"));
    set_timer(0);
    text_free(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    (void)talk("hello %d", data[0] / 128 + 2);
    switch (data[0] % 4) {
    case 0:
        run_program(data + 1, size - 1);
        break;
    case 1:
        run_made(data + 1, size - 1);
        break;
    case 2:
        run_decoder(data + 1, size - 1);
        break;
    default:
        run_library(data + 1, size - 1);
    }
    (void)talk("hello 2");
    check_sandbox();
    (void)talk("flushall");
    (void)talk("script flush");
    talk_finish_work();
    return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct sigaction action = {.sa_handler = end_script, .sa_flags = SA_RESTART};

    (void)argc;
    (void)argv;
    talk_open();
    must(sigaction(SIGVTALRM, &action, NULL) == 0);
    must(talk("config set script-memory-limit %d", LIMIT_BYTES)[0] == '+');
    must(talk("config set busy-reply-threshold 0")[0] == '+');
    return 0;
}
