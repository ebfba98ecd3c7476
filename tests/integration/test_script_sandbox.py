#!/usr/bin/env python3
"""Hostile scripts: what has broken out of Lua's sandbox, or has stopped a server, in the last
years.  Each ends in an error or in a harmless reply, or is ended by SCRIPT KILL, and the server
goes on; under the asan flavour no byte is touched that should not be."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402


def outcome(client, *words):
    try:
        return client.call(*words)
    except resp.RespError as e:
        return ("error", str(e))


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-sandbox-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, *args):
        server = resp.start_stillframe(tempfile.mkdtemp(dir=self.dir), "--save", "", *args)
        self.addCleanup(server.kill)
        return server

    def client(self, *args):
        c = self.start(*args).client()
        self.addCleanup(c.close)
        return c

    def ask(self, c, program, *args):
        reply = outcome(c, "EVAL", program, "0", *args)
        self.assertEqual(c.call("PING"), b"PONG")
        return reply

    def assert_error(self, c, text, program, *args):
        with self.subTest(program=program[:80]):
            reply = self.ask(c, program, *args)
            self.assertEqual(reply[0] if isinstance(reply, tuple) else reply, "error")
            self.assertIn(text, reply[1])


class Published(Case):
    """By the number under which the weakness was published."""

    def test_2015_4335_bytecode_reads_any_memory(self):
        c = self.client()
        for program in ("return loadstring(string.dump(function() return 1 end)) == nil",
                        "local s=string.dump(function() return 1 end) return load(function() local r=s s=nil return r end) == nil"):
            self.assertEqual(self.ask(c, program), 1)
        self.assertIn("Error compiling", str(outcome(c, "EVAL", b"\x1bLuaQ", "0")))
        self.assertIn("Error compiling", str(outcome(c, "SCRIPT", "LOAD", b"\x1bLuaQ")))

    def test_2018_11218_msgpack_overflows_the_stack_of_lua(self):
        c = self.client()
        for program in ("return {cmsgpack.unpack(('\\1'):rep(1e6))}", "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
                        "return cmsgpack.unpack(('\\145'):rep(1e6))", "return cmsgpack.unpack('\\219\\255\\255\\255\\255')",
                        "return {cmsgpack.unpack_limit('\\1', -2147483648)}", "return {cmsgpack.unpack_one('\\1', 2147483647)}",
                        "return cmsgpack.pack(unpack({}, 1, 7990))"):
            self.assertEqual(self.ask(c, program)[0], "error", program)

    def test_2018_11219_and_2020_14147_struct_counts_past_its_integers(self):
        c = self.client()
        for program in ("return struct.pack('i99999999999999999999', 1)", "return struct.pack('>I2147483647', 1)",
                        "return struct.unpack('!2147483648 i4', 'abcd')", "return struct.unpack('I4', 'abcd', 2147483646)",
                        "return struct.unpack('I4', 'abcd', -2147483648)", "return struct.unpack('lc0', struct.pack('l', -1)..'x')",
                        "return struct.unpack('c4294967297', 'abcd')", "return struct.pack('c2147483647', 'x')"):
            self.assertEqual(self.ask(c, program)[0], "error", program)

    def test_2021_32626_arguments_overflow_the_stack_of_lua(self):
        c = self.client()
        self.assertEqual(self.ask(c, "local t={} for i=1,7900 do t[i]=i end return redis.call('rpush','l',unpack(t))"), 7900)
        self.assert_error(c, "too many results to unpack", "return redis.call('rpush','l',unpack({},1,1e6))")
        self.assert_error(c, "not enough memory", "local function f(...) return 1, f(1, ...) end return f()")
        self.assert_error(c, "stack overflow", "local function f() return 1 + f() end return f()")

    def test_2021_32672_there_is_no_debugger(self):
        c = self.client()
        for mode in ("YES", "SYNC"):
            self.assertEqual(outcome(c, "SCRIPT", "DEBUG", mode)[0], "error")
        self.assertEqual(self.ask(c, "return {tostring(redis.breakpoint()), redis.debug('x')}"), [b"false"])

    def test_2022_0543_no_library_loads_code(self):
        c = self.client()
        for name in ("package", "io", "debug", "require", "module", "dofile", "loadfile", "os.execute", "os.getenv",
                     "newproxy", "getfenv", "setfenv", "jit", "ffi"):
            outer, _, inner = name.rpartition(".")
            self.assertEqual(self.ask(c, "return rawget(%s,'%s') == nil" % (outer or "_G", inner)), 1, name)

    def test_2022_24735_and_2025_46818_a_script_does_not_change_what_the_next_one_calls(self):
        c = self.client()
        c.call("ACL", "SETUSER", "weak", "on", "nopass", "+eval", "+ping", "~*")
        weak = c  # the state is shared: what counts is what stays
        for program in ("redis.call = function() return 'mine' end", "string.upper = function() return 'mine' end",
                        "getmetatable('').__index = function() return 'mine' end", "setmetatable(_G, {__index = {x = 1}})",
                        "getmetatable(_G).__index = function() return 'mine' end", "rawset(_G, 'tostring', 1)",
                        "rawset(getmetatable(''), '__add', function() return 'mine' end)", "rawset(redis, 'call', 1)",
                        "table.insert(string, 'x')", "for k in next, string do string[k] = nil end",
                        "coroutine.wrap(function() tostring = 1 end)()", "loadstring('tostring = 1')()",
                        "table.foreach(_G, function(k) _G[k] = nil end)", "_G._G = {}", "cjson.encode = 1", "KEYS.x = redis KEYS.x.call = 1"):
            self.assert_error(weak, "readonly table", program)
        self.ask(c, "local t = getmetatable('').__index if t then setmetatable({}, {__index = t}).upper = 1 end")
        for basic in ("nil", "true", "1", "redis.call", "cjson.null"):
            self.assertEqual(self.ask(c, "return getmetatable(%s) == nil" % basic), 1, basic)
            self.assertEqual(self.ask(c, "return setmetatable(%s, {})" % basic)[0], "error", basic)
        self.assertEqual(self.ask(c, "return {('a'):upper(), redis.call('ping'), tostring(1), cjson.encode({1})}"),
                         [b"A", b"PONG", b"1", b"[1]"])

    def test_2022_24736_values_that_are_not_there(self):
        c = self.client()
        for program in ("return redis.call(nil)", "return redis.pcall()", "error()", "error(nil)", "error({})", "return {err=nil}",
                        "return redis.error_reply(nil)", "redis.log()", "redis.log(nil, nil)", "return redis.sha1hex(nil)",
                        "return cjson.encode(nil)", "return cjson.decode(nil)", "return cmsgpack.unpack(nil)", "return struct.pack(nil)",
                        "return redis.acl_check_cmd(nil)", "return load(nil)", "return loadstring(nil)", "xpcall()", "xpcall(1)",
                        "xpcall(error, nil)", "return coroutine.wrap(nil)", "table.sort(nil)", "table.sort({}, 1)", "return ('x'):gsub('x')",
                        "return setmetatable(nil)", "return getmetatable()", "return next(nil)", "rawset(nil)", "return bit.tohex()",
                        "return select()", "return unpack(nil)", "return collectgarbage(nil)", "return math.random(nil)"):
            self.ask(c, program)

    def test_2023_41053_the_keys_of_sort_ro_are_asked_about(self):
        c = self.client()
        c.call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~mine")
        c.call("RPUSH", "theirs", "1")
        c.call("AUTH", "u", "x")
        for command in (["SORT_RO", "theirs"], ["SORT", "theirs"], ["SORT", "mine", "STORE", "theirs"], ["SORT_RO", "mine", "BY", "theirs*"],
                        ["SORT_RO", "mine", "GET", "theirs"]):
            self.assertEqual(outcome(c, *command)[0], "error", command)
            script = "return redis.call(%s)" % ",".join("'%s'" % w for w in command)
            self.assertEqual(self.ask(c, script)[0], "error", command)

    def test_2024_31228_a_pattern_of_many_stars_is_no_deep_call(self):
        c = self.client()
        stars = "*a" * 100000
        c.call("SET", "a" * 60, "x")
        self.assertEqual(c.call("KEYS", stars + "b"), [])
        self.assertEqual(c.call("SCAN", "0", "MATCH", stars)[1], [])
        c.call("ACL", "SETUSER", "u", "on", "nopass", "+get", "~" + stars, "&" + stars)
        self.assertIn(b"no permissions", c.call("ACL", "DRYRUN", "u", "GET", "a" * 60))

    def test_2024_51741_rules_that_end_too_early(self):
        c = self.client()
        for rule in ("%", "%R", "%RW", "%~", "%R", "(%)", "(%R)", "(%RW)", "(%~", "(", ")", "()", "(()", "(+get %)", "#", "!", "<", "+", "-", "+@", "-@",
                     "+|", "+get|", "%\x00~a", "(+get ~a %R"):
            with self.subTest(rule=rule):
                outcome(c, "ACL", "SETUSER", "u", rule)
                self.assertIsInstance(c.call("ACL", "LIST"), list)

    def test_2024_31449_tohex_writes_below_its_buffer(self):
        c = self.client()
        for digits in ("-2147483648", "2147483648", "-2147483647", "2^31", "-2^31", "2^31+2^32", "2^63", "-2^63", "1/0", "0/0", "'-2147483648'"):
            self.assertLessEqual(len(self.ask(c, "return bit.tohex(65535, %s)" % digits)), 8, digits)
        self.assertEqual(self.ask(c, "return {bit.tohex(-1, -2147483648), bit.tohex(255, 4), bit.tohex(255, -4), bit.tohex(7, 2^32 + 2)}"),
                         [b"FFFFFFFF", b"00ff", b"00FF", b"07"])

    def test_2024_46981_the_collector_is_not_the_scripts(self):
        c = self.client()
        for program in ("collectgarbage('stop') local t for i=1,2e5 do t={i} end return collectgarbage('count') < 20000",
                        "collectgarbage('setpause', 1e9) collectgarbage('setstepmul', 0) return 1",
                        "setmetatable({}, {__gc = function() redis.call('set','x','1') end}) collectgarbage() return redis.call('exists','x') == 0",
                        "local t=setmetatable({},{__mode='kv'}) for i=1,1e4 do t[{}]={} collectgarbage('step', i) end return 1"):
            self.assertEqual(self.ask(c, program), 1, program)
        for _ in range(20):  # the state is closed in any phase of its collector
            self.ask(c, "local t={} for i=1,%d do t[i]={i} collectgarbage('step',1) end" % 97)
            c.call("SCRIPT", "FLUSH")

    def test_2025_49844_nothing_is_collected_while_a_text_is_compiled(self):
        c = self.client()
        for program in (
                "for i=1,300 do collectgarbage('step',0) loadstring('local a'..i..'=1 return \\''..('x'):rep(i)..'\\'', '='..('n'):rep(i)..i)() end return 1",
                "local n=0 local f=load(function() collectgarbage() n=n+1 if n<50 then return 'local a'..n..'=1 ' end end, 'name'..n) return f() == nil",
                "for i=1,2000 do loadstring('x x', ('n'):rep(i % 90)..i) end return 1"):
            self.assertEqual(self.ask(c, program), 1)
        for i in range(300):
            outcome(c, "EVAL", "x x -- %d" % i, "0")
            c.call("EVAL", "local a%d = '%s' return %d" % (i, "y" * i, i), "0")

    def test_2025_46817_unpack_counts_past_its_integers(self):
        c = self.client()
        for bounds in ("-2147483648,2147483647", "0,2147483647", "1,2147483647", "-2147483648,-1", "1,1e8"):
            self.assert_error(c, "too many results to unpack", "return {unpack({},%s)}" % bounds)
        self.assertEqual(self.ask(c, "return {unpack({1,2,3},2147483647,-2147483648)}"), [])

    def test_2025_46819_a_long_bracket_that_does_not_end(self):
        c = self.client()
        for n in (1, 1000, 1 << 20):
            for text in ("[%s[", "--[%s[", "return [%s[x]%s", "return [%s", "return [%s[x]]"):
                program = text.replace("%s", "=" * n)
                self.assertIn("Error compiling", self.ask(c, program)[1], text)
        for text in ("'\\", "'\\9", "'\\x", "[[", "--[[", "0x", "1e", "1e+", "..", "'", '"\\\n'):
            self.assertIn("Error compiling", self.ask(c, "return " + text)[1], text)


class EndedByKill(Case):
    """What would run for ever, or nearly: others are heard, and SCRIPT KILL ends it."""

    KILLER_OF_SORT = ("local k=300000 local t={} for i=1,k do if i%2==1 then t[i]=i else t[i]=k+i-1 end t[k+i]=2*i end ")
    PROGRAMS = (
        "while true do end", "while true do pcall(function() while true do end end) end",
        "while true do pcall(error, 'x') end", "local function f() return pcall(f) end while true do f() end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do xpcall(error, function() while true do end end) end",
        "local f f = function() pcall(f) pcall(f) end f()",
        "local f = coroutine.wrap(function() while true do pcall(function() while true do end end) end end) while true do pcall(f) end",
        "while true do coroutine.wrap(function() pcall(function() while true do end end) coroutine.yield() end)() end",
        "return setmetatable({}, {__index = function() while true do end end}).x",
        "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
        "local t = setmetatable({}, {__lt = function() while true do end end}) table.sort({t, t, t})",
        "setmetatable({}, {__newindex = function() while true do pcall(function() while true do end end) end end}).x = 1",
        "return load(function() return 'x=1 ' end)", "return ('x'):gsub('.', function() while true do end end)",
        "local function f(...) return f(1, ...) end return f()", "while true do loadstring(('x=1 '):rep(10000)) end", "while true do pcall(string.rep, 'x', 2^30) end",
        "local t = {} while true do pcall(function() for i=1,1e9 do t[#t+1] = {} end end) end",
        "local t = {} for i=1,3e5 do t[i] = {} end while true do collectgarbage() end",
        "local s = ('x'):rep(1e6) while true do s:find('y') end", "while true do redis.call('lrange','l',0,-1) end",
        KILLER_OF_SORT + "table.sort(t)", KILLER_OF_SORT + "table.sort(t, bit.band)",
        "return string.find(('x'):rep(500), ('x*'):rep(30)..'y')", "return string.match(('x'):rep(500), ('x*'):rep(30)..'y')",
        "return string.gsub(('x'):rep(500), ('x*'):rep(30)..'y', '')", "return string.gmatch(('x'):rep(500), ('x-'):rep(30)..'y')()")

    def test_each(self):
        server = self.start("--busy-reply-threshold", "20", "--script-memory-limit", "128mb")
        with server.client() as other:
            for i in range(10):
                other.call("RPUSH", "l", *range(1000))
            for program in self.PROGRAMS:
                with self.subTest(program=program), server.client() as runner:
                    runner.send("EVAL", program, "0")
                    resp.wait_until(lambda: outcome(other, "SCRIPT", "KILL") == b"OK", seconds=100)
                    with self.assertRaisesRegex(resp.RespError, "Script killed by user with SCRIPT KILL"):
                        runner.read(raising=True)
                    self.assertEqual(other.call("PING"), b"PONG")


class Bounds(Case):
    """What is no hole that somebody published, but might be one."""

    def test_a_pattern_of_many_levels(self):
        c = self.client()
        self.assertIn("pattern too complex", str(self.ask(c, "return ('a'):rep(1e6):find(('a?'):rep(1e6))")))
        self.assertIn("too many captures", str(self.ask(c, "return ('a'):rep(100):find(('(a)'):rep(100))")))

    def test_numbers_that_overflow(self):
        c = self.client()
        for program in ("return {unpack({},-2147483648,2147483647)}", "return {unpack({},1,2147483647)}",
                        "return {unpack({},2147483640,2147483647)}", "return table.concat({},'',1,2^31-1)",
                        "return string.rep('x',-1)", "return ('x'):sub(-2^31,2^31)", "return {('x'):byte(-2^31,2^31-1)}",
                        "return string.format('%99999d',1)", "return string.format('%.99f',1/3)",
                        "return string.format('%0100s','x')", "return ('x'):rep(300*2^20)",
                        "return struct.pack('c2147483647','x')", "return struct.unpack('i4','x',2^31-1)",
                        "return struct.unpack('c0',('x'):rep(3))", "return struct.unpack('lc0',struct.pack('l',-1))",
                        "return bit.lshift(1,2^40)", "return math.random(-2^31,2^31-1) >= -2^31"):
            self.ask(c, program)

    def test_bytecode_is_no_program(self):
        c = self.client()
        for program in ("return loadstring(string.dump(function() return 1 end)) == nil",
                        "local s=string.dump(function() return 1 end) return load(function() local r=s s=nil return r end) == nil"):
            self.assertEqual(self.ask(c, program), 1)
        self.assertIn("Error compiling", str(outcome(c, "EVAL", b"\x1bLuaQ", "0")))

    def test_what_scripts_share_stays_as_it_is(self):
        c = self.client()
        for program in ("getmetatable('').__index = nil", "getmetatable('').__index.upper = nil", "string.upper = nil",
                        "rawset(string,'upper',1)", "rawset(getmetatable(_G),'__index',1)", "setmetatable(string,nil)",
                        "table.insert(string,1)", "table.insert(redis,1,1)", "_G._G = 1", "_G.redis = 1",
                        "redis.call = 1", "getmetatable(_G).__newindex = nil", "getmetatable('').__gc = 1",
                        "cjson.encode = 1", "cmsgpack.pack = 1", "math.random = 1", "coroutine.resume = 1",
                        "loadstring('redis = 1')()", "coroutine.wrap(function() x = 1 end)()",
                        "for k in pairs(string) do string[k] = nil end", "server.call = 1", "bit.band = nil"):
            with self.subTest(program=program):
                self.assertIn("readonly table", str(self.ask(c, program)))
        self.assertEqual(self.ask(c, "return {('a'):upper(),redis.call('ping'),cjson.encode({1})}"), [b"A", b"PONG", b"[1]"])

    def test_ways_out_are_not_there(self):
        c = self.client()
        for name in ("io", "debug", "package", "require", "module", "dofile", "loadfile", "getfenv", "setfenv", "newproxy",
                     "print", "os.execute", "os.getenv", "os.exit", "os.remove", "cjson.new"):
            outer, _, inner = name.rpartition(".")
            reply = self.ask(c, "return rawget(%s,'%s') == nil" % (outer or "_G", inner))
            self.assertEqual(reply, 1, name)

    def test_the_collector(self):
        c = self.client()
        for program in ("collectgarbage('stop') local t for i=1,2e5 do t={i} end return collectgarbage('count') < 20000",
                        "for i=1,300 do collectgarbage('step',0) loadstring('local a'..i..'=1 return \\''..('x'):rep(i)..'\\'')() end return 1",
                        "local t=setmetatable({},{__mode='kv',__gc=function() x=1 end}) t=nil collectgarbage() return 1",
                        "local n=0 local f=load(function() collectgarbage() n=n+1 if n<50 then return 'local a'..n..'=1 ' end end) return f() == nil"):
            self.assertEqual(self.ask(c, program), 1)

    def test_depth(self):
        c = self.client()
        for program in ("local t={} for i=1,1e5 do t={t} end return cjson.encode(t)", "return cjson.decode(('['):rep(1e6))",
                        "cjson.decode_max_depth(2^31-1) return cjson.decode(('['):rep(1e6))",
                        "cjson.encode_max_depth(2^31-1) local t={} for i=1,1e5 do t={t} end return cjson.encode(t)",
                        "return cmsgpack.unpack(('\145'):rep(1e6))", "return cmsgpack.unpack(('\129\1'):rep(1e6))",
                        "return loadstring(('('):rep(1e5))", "return loadstring('return '..('{'):rep(1e5))",
                        "local function f() return pcall(f) end return f()",
                        "local function f() return coroutine.wrap(f)() end return f()",
                        "local t=setmetatable({},{}) getmetatable(t).__index=t return t.x",
                        "return ('x'):gsub('x',function(s) return (s:gsub('x',function(s) return s end)) end)",
                        "local function f(s) return (s:gsub('x',f)) end return f('x')"):
            self.ask(c, program)

    def test_json_longer_than_its_counters(self):
        c = self.client()
        for program in ("local s=('\1'):rep(60*2^20) return cjson.encode(s)",
                        "local s=('x'):rep(2^20) local t={} for i=1,5000 do t[i]=s end return cjson.encode(t)",
                        "cjson.encode_sparse_array(true,0,2^31-1) return cjson.encode({[2^31-2]=1})"):
            self.assertIn("Cannot serialise", str(self.ask(c, program)))

    def test_an_error_says_nothing_else(self):
        c = self.client()
        for text in (r"a\r\n+OK", r"\0x", "", "%s%n", "x" * 5000):
            self.assertEqual(self.ask(c, "error({err='%s'})" % text)[0], "error")
            self.assertEqual(self.ask(c, "return {err='%s'}" % text)[0], "error")
        self.assertNotIn(b"+OK", c.call("INFO", "errorstats"))

    def test_counts_of_nothing(self):
        c = self.client()
        self.assertEqual(self.ask(c, "return {(''):rep(2^31-1), ('x'):rep(-2^31), ('x'):rep(0), ('ab'):rep(3), #('abc'):rep(1e6)}"),
                         [b"", b"", b"", b"ababab", 3000000])
        self.assert_error(c, "position out of bounds", "table.insert({}, -2147483648, 1)")
        self.assertEqual(self.ask(c, "local t={1,2} table.insert(t,1,'a') table.insert(t,9,'b') table.insert(t,-1,'c') return {t[-1],t[9],t[2]}"),
                         [b"c", b"b", b"a"])

    def test_a_reply_of_one_table_many_times(self):
        c = self.client("--script-memory-limit", "16mb")
        for program in ("local t={} for i=1,40 do t={t,t} end return t", "local t={map={}} t.map[t]=t return t",
                        "local s=('x'):rep(1e6) local t={} for i=1,100 do t[i]=s end return t"):
            self.assert_error(c, "OOM script", program)
        self.assertEqual(self.ask(c, "local s=('x'):rep(1e5) return {s,s,s}"), [b"x" * 100000] * 3)

    def test_no_memory_within_pcall(self):
        c = self.client("--script-memory-limit", "16mb")
        for program in ("return {pcall(string.rep,'x',2^26)}", "return {pcall(function() local s='x' while true do s=s..s end end)}",
                        "return {pcall(function() local t={} for i=1,1e9 do t[i]={} end end)}",
                        "return {pcall(cjson.encode,{('x'):rep(2^22),('y'):rep(2^22)})}", "return {xpcall(function() return ('x'):rep(2^26) end,error)}"):
            for _ in range(3):
                self.assertRegex(str(self.ask(c, program)), "not enough memory|needs more memory", program)
        self.assertEqual(self.ask(c, "return 1"), 1)


if __name__ == "__main__":
    unittest.main()
