#!/usr/bin/env python3
"""Random Lua programs: the same reply here and from redis-server, text by text.

  SCRIPTS_SEED=n   instead of DIFFERENTIAL_SEED, or of a seed from the clock
  SCRIPTS_STEPS=n  programs of each test and protocol (600; QUICK=1: 150)

The oracle is Debian's redis-server 7.0.  What 7.2 says otherwise, and so this server, is not made
here: redis.REDIS_VERSION, and BLPOP and its like, which scripts may call since.  Nor is what this
server says on purpose: the metatable of strings is not shown, a format of struct.size that has no
meaning is an error, and one that fails with a table or a function says no address.
"""
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from test_scripts import Case, outcome  # noqa: E402

SEED = int(os.environ.get("SCRIPTS_SEED") or os.environ.get("DIFFERENTIAL_SEED") or time.time())
STEPS = int(os.environ.get("SCRIPTS_STEPS", "150" if os.environ.get("QUICK") == "1" else "600"))

ATOMS = """nil|true|false|0|1|-1|3.99|-3.99|1e15|1e16|2^53|2^63|-2^63|1e300|0.1|-0|1/0|-1/0|'a'|'abc'|''|'10'|'0x10'|'1e2'|' 7 '|
'a b'|'k1'|'\\0'|'\\255'|'%d'|KEYS[1]|KEYS[2]|KEYS[3]|ARGV[1]|ARGV[2]|#KEYS|#ARGV|a|b|c|t|t.x|t[1]|t.t.x|#t|f|{1,2,3}|{'x',nil,'y'}|
{x=1}|{{}}|{ok='S'}|{err='E x'}|{double=2.5}|{map={a=1}}|{set={a=true}}|redis.call('get','k1')|redis.pcall('get','k2')|redis.pcall('incr','k3')|
redis.call('lrange','k4',0,-1)|redis.pcall('hgetall','k5')|redis.error_reply('E1 y')|redis.status_reply('s')|cjson.null""".replace("\n", "").split("|")
CALLS = """tostring(N)|tonumber(V)|tonumber(S,16)|type(V)|select(I,V,V)|select('#',V,V)|unpack(T)|unpack(T,I,I)|rawget(T,V)|rawequal(V,V)|next(T)|
string.format('%s|%s',S,S)|string.format('%d',V)|string.format('%5.2f|%g|%x|%c',N,N,I,65)|string.format('%q',S)|string.format('%i %u %o %X %e',I,I,I,I,N)|
string.format('%-5s|%5s|%.2s',S,S,S)|string.format('%s',V)|string.format('%y',1)|string.rep(S,I)|string.sub(S,I,I)|string.byte(S,I,I)|string.char(65,V)|
string.upper(S)|string.lower(S)|string.reverse(S)|string.len(V)|string.find(S,S,I,true)|string.match(S,'%w+')|string.gsub(S,'.',V)|string.gsub(S,'%a','<%0>',I)|
table.concat(T,S)|table.concat(T,S,I,I)|table.insert(T,S)|table.insert(T,I,N)|table.remove(T)|table.remove(T,I)|table.getn(T)|table.maxn(T)|
math.floor(V)|math.max(N,N)|math.min(N,V)|math.fmod(N,N)|math.abs(V)|math.sqrt(N)|math.huge|bit.band(N,I)|bit.bor(I,I)|bit.bxor(I,N)|bit.bnot(I)|
bit.lshift(I,I)|bit.arshift(I,I)|bit.rol(I,I)|bit.bswap(I)|bit.tohex(I,I)|bit.tobit(N)|cjson.encode(V)|cjson.decode(S)|cjson.encode(cjson.decode('[1,{"a":null}]'))|
cmsgpack.pack(V,V)|cmsgpack.unpack(cmsgpack.pack(V))|cmsgpack.unpack(S)|struct.pack('>I2hs',I,I,S)|struct.unpack('b',S)|struct.size('>i3s')|struct.size('!8bd')|redis.sha1hex(S)|
redis.error_reply(V)|redis.status_reply(V)|redis.call('echo',V)|redis.pcall('echo',S,V)|redis.call('set',S,V)|redis.pcall('mget',S,S)|redis.acl_check_cmd('get',V)|
pcall(error,V)|pcall(error)|pcall(f,V,V)|xpcall(f,tostring)|f(V,V)|V(V)|error(flat(V))|error(S,I)|assert(V,S)|loadstring('return '..S)|loadstring(S)|setmetatable(T,V)|
getmetatable({})|redis.setresp(V)|redis.log(V,S)|ipairs(V)|pairs(V)|nosuch|nosuch(V)|redis.nosuch|redis.nosuch(V)|coroutine.wrap(f)(V)|rawset(T,V,S)""".replace("\n", "").split("|")
# A "|" within a call's text.
CALLS = [c for c in ("|".join(CALLS)).replace("'%s|%s'", "'%s:%s'").replace("'%5.2f|%g|%x|%c'", "'%5.2f:%g:%x:%c'").replace(
    "'%-5s|%5s|%.2s'", "'%-5s:%5s:%.2s'").split("|")]


class Generated(Case):
    def setUp(self):
        super().setUp()
        self.rng = random.Random("%d %s" % (SEED, self.id().rpartition(".")[2]))
        self.clients = {how: self.connect(how) for how in (resp.start_stillframe, resp.start_redis_server)}

    def connect(self, how):
        c = self.start(how).client()
        self.addCleanup(c.close)
        return c

    def prepare(self, c, protocol):
        c.call("HELLO", protocol)
        c.call("FLUSHALL")
        c.call("SET", "k1", "v1")
        c.call("RPUSH", "k4", "x", "y")
        c.call("HSET", "k5", "f", "v")

    def run_programs(self, make, steps=STEPS):
        for protocol in ("2", "3"):
            for c in self.clients.values():
                self.prepare(c, protocol)
            for _ in range(steps):
                self.run_program(make(), protocol)

    def run_program(self, program, protocol):
        """Some programs end redis-server 7.0: those are passed over."""
        words = ("EVAL", program, "2", "k1", "k4", "7", "x y")
        ours, theirs = self.clients.values()
        reply = outcome(ours, *words)
        try:
            self.assertEqual(reply, outcome(theirs, *words), "SCRIPTS_SEED=%d:\n%s" % (SEED, program))
        except EOFError:
            print("redis-server ended: %r" % program, file=sys.stderr)
            self.clients[resp.start_redis_server] = self.connect(resp.start_redis_server)
            for c in self.clients.values():
                self.prepare(c, protocol)

    def expression(self, depth=0):
        rng = self.rng
        r = rng.random()
        if depth > 3 or r < 0.35:
            return rng.choice(ATOMS)
        if r < 0.7:
            kinds = {"V": lambda: self.expression(depth + 1), "N": lambda: rng.choice(["1", "-2.5", "1e10", "a", "t[1]", "2^31", "0", "'3'"]),
                     "I": lambda: rng.choice(["0", "1", "2", "-1", "3", "10", "31", "b"]),
                     "S": lambda: rng.choice(["'abc'", "'a1 b2'", "ARGV[2]", "c", "'[1,2]'", "'\\1'", "'x'", "'1'", "KEYS[1]"]),
                     "T": lambda: rng.choice(["t", "{3,1,2}", "{}", "KEYS", "{'a','b',x=1}", "redis", "string", "_G", "a"])}
            call = rng.choice(CALLS)
            head, paren, rest = call.partition("(")
            out, quoted = [], False
            for i, ch in enumerate(rest):
                quoted ^= ch == "'"
                alone = not (i > 0 and rest[i - 1].isalnum()) and not rest[i + 1:i + 2].isalnum()
                out.append(kinds[ch]() if ch in kinds and not quoted and alone else ch)
            return ("(%s)" % kinds["V"]() if head == "V" else head) + paren + "".join(out)
        if r < 0.85:
            return "(%s %s %s)" % (self.expression(depth + 1), rng.choice(["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", "and", "or"]),
                                   self.expression(depth + 1))
        if r < 0.92:
            return "(%s%s)" % (rng.choice(["-", "not ", "#"]), self.expression(depth + 1))
        return "{%s}" % ",".join(self.expression(depth + 1) for _ in range(rng.randrange(4)))

    def statement(self, depth=0):
        rng = self.rng
        r = rng.random()
        if depth > 2 or r < 0.4:
            place = rng.choice(["a", "b", "c", "t[1]", "t.x", "t[#t+1]", "t[a]", "x", "redis.x", "KEYS[3]", "a.b"][:4 if rng.random() < 0.8 else None])
            return ("%s = flat(%s)" if place > "c" or "." in place or "[" in place else "%s = %s") % (place, self.expression())
        if r < 0.5:
            return "for i = 1, %d do\n%s\nend" % (rng.randrange(4), self.statement(depth + 1))
        if r < 0.6:
            return "if %s then\n%s\nelse %s end" % (self.expression(), self.statement(depth + 1), self.statement(depth + 1))
        if r < 0.7:
            return "f = function(a, b, ...)\n%s\nreturn %s end" % (self.statement(depth + 1), self.expression())
        if r < 0.8:
            return "local ok, e = pcall(function()\n%s\nreturn %s end) t[#t+1] = flat(type(e) == 'table' and e.err or e)" % (
                self.statement(depth + 1), self.expression())
        if r < 0.9:
            return "for k, v in ipairs(%s) do c = tostring(k) end" % self.expression()
        return "redis.setresp(%d)" % rng.choice([2, 3, 3])

    def test_programs_of_all_that_is_there(self):
        """No table's or function's address, and no order of a table's fields by such a one; and no
        table in itself, which may be a reply without end."""
        def make():
            lines = ["local a, b, c, t = 1, 2, 'abc', {5, 'y', x = 'z'}",
                     "local f = function(...) return select('#', ...) end",
                     "local tostring = function(v) return type(v) == 'number' and tostring(v) or type(v) end"]
            lines.append("local flat = function(v) return type(v) == 'table' and 'table' or v end")
            lines += [self.statement() for _ in range(self.rng.randrange(1, 5))]
            lines.append("return " + self.rng.choice(["{a, b, c, t}", "t", self.expression(), self.expression()]))
            return self.rng.choice(["\n", " "]).join(lines)
        self.run_programs(make, STEPS)

    def value(self, depth=0):
        rng = self.rng
        if depth < 4 and rng.random() < 0.4:
            parts = [self.value(depth + 1) for _ in range(rng.randrange(4))]
            if rng.random() < 0.3 and parts:
                return "{%s}" % ",".join("%s=%s" % (rng.choice(["map", "set", "a"]), parts[0]) for _ in range(1))
            return "{%s}" % ",".join(parts)
        return rng.choice(["1", "-7", "3.99", "'x'", "''", "true", "false", "nil", "1e30", "{ok='S'}", "{err='E x'}",
                           "{double=2.5}", "{double=-1e100}", "{big_number='12'}", "redis.status_reply('s')",
                           "redis.error_reply('E y')", "{verbatim_string={format='txt',string='v'}}",
                           "{map={k='v'}}", "{set={m=true}}", "redis.pcall('nosuch')", "redis.call('get','k1')",
                           "redis.pcall('incr','k2')", "KEYS", "function() end"])

    def command(self):
        rng = self.rng
        key = lambda: "'k%d'" % rng.randrange(4)
        words = rng.choice([
            ["'set'", key(), rng.choice(["1", "'a'", "2.5"])], ["'get'", key()], ["'incr'", key()], ["'append'", key(), "'x'"],
            ["'rpush'", key(), "'a'", "'b'"], ["'lrange'", key(), "0", "-1"], ["'lpop'", key()], ["'hset'", key(), "'f'", "'v'"],
            ["'hgetall'", key()], ["'sadd'", key(), "'m'"], ["'smembers'", key()], ["'zadd'", key(), "1.5", "'m'"],
            ["'zscore'", key(), "'m'"], ["'zrange'", key(), "0", "-1", "'withscores'"], ["'del'", key()], ["'exists'", key()],
            ["'type'", key()], ["'strlen'", key()], ["'nosuch'"], ["'get'"], ["'multi'"], ["'object'", "'nosuch'", key()],
            ["'expire'", key(), "100"], ["'ttl'", key()], ["'mget'", key(), key()], ["'getdel'", key()],
            ["'config'", "'get'", "'x'"], ["'echo'", rng.choice(["1", "-1.25", "1e17", "'x'", "true"])]])
        return "redis.%s(%s)" % (rng.choice(["call", "pcall"]), ",".join(words))

    def program_of_commands(self):
        lines = ["redis.setresp(%d)" % self.rng.choice([2, 3])]
        names = []
        for i in range(self.rng.randrange(1, 5)):
            if self.rng.random() < 0.2:
                lines.append("local ok%d,v%d = pcall(function() return %s end)" % (i, i, self.command()))
            else:
                lines.append("local v%d = %s" % (i, self.command()))
            names.append("v%d" % i)
            if self.rng.random() < 0.1:
                lines.append("if type(v%d) == 'table' and v%d.err then error(v%d) end" % (i, i, i))
        lines.append("return " + self.rng.choice(["{%s}" % ",".join(n + " or 0" for n in names), names[-1], self.value()]))
        return self.rng.choice(["\n", " "]).join(lines)

    def test_programs_of_commands(self):
        self.run_programs(self.program_of_commands)

    def test_values(self):
        self.run_programs(lambda: "redis.setresp(%d) return %s" % (self.rng.choice([2, 3]), self.value()))

    def test_patterns(self):
        items = ["a", "b", "c", ".", "%a", "%d", "%s", "%w", "%W", "%x", "%p", "%z", "[ab]", "[^a]", "[a-c]", "[%d_]", "[]a]", "[^]]",
                 "[a-]", "%.", "%%", "(", "(", ")", ")", "()", "*", "+", "-", "?", "^", "$", "%1", "%2", "%b()", "%bab", "%f[a]",
                 "%f[%w]", "%f", "%", "[", "%b", "%9"]
        letters = ["a", "b", "c", "1", " ", "(", ")", ".", "_", "%", "A", "\\0", "\\200"]
        forms = ["return {string.find(%s,%s)}", "return {string.match(%s,%s)}", "return {string.gsub(%s,%s,'<%%0%%1>')}",
                 "local r={} for x,y in string.gmatch(%s,%s) do r[#r+1]=x r[#r+1]=y or 'n' end return r",
                 "return {string.find(%s,%s,2)}", "return {string.find(%s,%s,-2)}", "return {string.gsub(%s,%s,{a='Q',b=false})}",
                 "return {string.gsub(%s,%s,function(x,y) return y end,3)}", "return {string.find(%s,%s,1,true)}"]
        word = lambda parts, n: "'%s'" % "".join(self.rng.choice(parts) for _ in range(self.rng.randrange(n)))
        self.run_programs(lambda: self.rng.choice(forms) % (word(letters, 12), word(items, 7)))

    def test_libraries(self):
        def plain(depth=0):
            if depth < 5 and self.rng.random() < 0.4:
                return "{%s}" % ",".join(plain(depth + 1) for _ in range(self.rng.randrange(4)))
            return self.rng.choice(["1", "-1", "255", "65536", "-2147483649", "1.5", "1e100", "0.1", "'a'", "('x'):rep(40)", "true", "'\\0\\n'"])

        def format():
            options = "".join(self.rng.choice(["b", "B", "h", "H", "i", "I", "l", "L", "T", "f", "d", "<", ">", "!", "!4", "i3", "I5", "x", " "])
                              for _ in range(self.rng.randrange(6)))
            return options, [self.rng.choice(["0", "1", "-1", "127", "65535", "3000000000", "1.5", "-70000"]) for _ in range(7)]

        def make():
            kind = self.rng.randrange(5)
            if kind == 0:
                return "return cjson.encode(%s)" % plain()
            if kind == 1:
                return "return cjson.encode(cjson.decode(cjson.encode({%s})))" % plain()
            if kind == 2:
                return "return cmsgpack.pack(%s,%s)" % (plain(), plain())
            if kind == 3:
                return "return {cmsgpack.unpack(cmsgpack.pack(%s,%s))}" % (plain(), plain())
            options, numbers = format()
            return ("local s=struct.pack('%s',%s) return {s,struct.size('%s'),struct.unpack('%s',s)}" %
                    (options, ",".join(numbers), options, options))
        self.run_programs(make)

    def test_bytes_that_are_no_message_pack(self):
        for _ in range(STEPS):
            bytes_ = bytes(self.rng.choice([self.rng.randrange(256), self.rng.randrange(0x80, 0xe0), 1]) for _ in range(self.rng.randrange(9)))
            reply = outcome(self.clients[resp.start_stillframe], "EVAL", "return {cmsgpack.unpack(ARGV[1])}", "0", bytes_)
            self.assertTrue(isinstance(reply, list) or "in input" in reply[1], reply)


if __name__ == "__main__":
    unittest.main()
