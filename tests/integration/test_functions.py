#!/usr/bin/env python3
"""Functions: what libraries and calls answer beside redis-server, dumps and payloads in both
directions, and libraries in saves."""
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from dump_bytes import payload, rdb, string  # noqa: E402

NEW = 'redis.register_function("f", function() return 1 end)'

# First lines, and whole texts.
HEADS = ["", "x", "#", "#!", "#!lua", "#!lua\n", "#!lua name=a", "#!lua name=a\n", "#!\n", "#! name=a\nx", "#!lu name=a\nx",
         "#!js name=a\nx", "#!LUA name=a\nreturn 1", "#!lua name=a b=c\nx", "#!lua foo\n", "#!lua name=a name=b\nx",
         "#!lua name=\nx", "#!lua name=a-b\nx", "#!lua name='a b'\nx", "#!lua flags=x name=b\nx", "#!lua name='l\nx",
         "#!lua  name=a \n" + NEW, '#!lua name="a"\n' + NEW, "#!lua NAME=a\n" + NEW, '#!lua "name=a"\n' + NEW,
         "#!lua name=" + "a" * 300 + "\n" + NEW, "#!lua\tname=a\n" + NEW, "#!lua name=\\x61\n" + NEW, '#!lua name="\\x61"\n' + NEW,
         "#!lua name=a\r\n" + NEW]

# What a library says when it is loaded; each is the one that may be there afterwards.
BODIES = r"""

return 1
x=1
return x
local x =
local x = nil .. 'a'
redis.call("ping")
redis.pcall("ping")
return redis.call
redis.log(redis.LOG_DEBUG,"hi") @
redis.log()
redis.sha1hex("a")
redis.error_reply("x")
redis.status_reply("a")
redis.setresp(3)
redis.set_repl(1)
redis.breakpoint()
redis.acl_check_cmd("get","a")
redis.nosuch()
redis.x=1
return redis.REDIS_VERSION
error("x")
pcall(redis.register_function,"f") @
table.x=1
setmetatable(_G,{})
_G.x=1
rawset(_G,"x",1)
loadstring("x=1")()
return KEYS
return unpack({})
local a=string.format("%d",1) @
math.random() @
local a=("x"):rep(3) @
cjson.encode({1})
print("a")
redis.register_function()
redis.register_function("f")
redis.register_function(nil)
redis.register_function(1,2)
redis.register_function({},function() end)
redis.register_function("f",2)
redis.register_function("f",nil)
redis.register_function(2,function() end)
redis.register_function("f",function() end,3)
redis.register_function({})
redis.register_function({function_name="f"})
redis.register_function({callback=function() end})
redis.register_function({function_name="f",callback=1})
redis.register_function({function_name=1,callback=function() end})
redis.register_function({function_name={},callback=function() end})
redis.register_function({function_name="f",callback=function() end,flags=1})
redis.register_function({function_name="f",callback=function() end,flags={"x"}})
redis.register_function({function_name="f",callback=function() end,flags={1}})
redis.register_function({function_name="f",callback=function() end,flags={"no-writes","x"}})
redis.register_function({function_name="f",callback=function() end,flags={a="no-writes"}})
redis.register_function({function_name="f",callback=function() end,flags={}})
redis.register_function({function_name="f",callback=function() end,foo=1})
redis.register_function({function_name="f",callback=function() end,description=1})
redis.register_function({function_name="f",callback=function() end,description={}})
redis.register_function({function_name="f",callback=function() end,description=""})
redis.register_function({function_name="f",callback=function() end,[1]=1})
redis.register_function({function_name="f",callback=function() end,[{}]=1})
redis.register_function({FUNCTION_NAME="f",Callback=function() end,DESCRIPTION="d"})
redis.register_function{function_name="f-x",callback=function() end}
redis.register_function{function_name="f",callback=function() end,flags={"no-writes","allow-oom","allow-stale","no-cluster","allow-cross-slot-keys"}}
redis.register_function("f",function() end) redis.register_function("f",function() end)
redis.register_function("",function() end)
redis.register_function("f g",function() end)
redis.register_function("taken",function() end)
redis.register_function("TAKEN",function() end)
redis.register_function("f",redis.log)
redis.register_function("f",redis.register_function)
redis.register_function("f",function() end) error("x")
redis.register_function("f",function() end) redis.call("ping")
local function f() return f() + 1 end f()
for i=1,50 do redis.register_function("f"..i,function() return i end) end
while true do end
""".strip("\n").replace("@", NEW).split("\n")

CALLS = r"""
return {keys,args,#keys,#args}
return r.call("ping")
return r.register_function
return redis.register_function
return r.register_function("zz",function() end)
return KEYS
return ARGV
return redis.call("set",keys[1] or "x",args[1] or "y")
x=1
return x
error("boom")
error({err="MY boom"})
return redis.error_reply("MY boom")
return redis.status_reply("FINE")
return redis.call("incr","s")
return redis.pcall("incr","s")
return redis.call("nosuch")
return redis.call()
return {pcall(redis.call,"incr","s")}
return redis.call("fcall","f",0)
return redis.call("function","list")
return redis.call("eval","return 1",0)
return redis.call("script","flush")
return string.upper(args[1] or "a")
local function f() return 1+f() end return f()
local t={} for k in pairs(redis) do t[#t+1]=k end table.sort(t) return t
local t={} for k in pairs(r) do t[#t+1]=k end table.sort(t) return t
redis.setresp(3) return true
redis.setresp(3) return {map={a=1}}
return true
return false
return nil
return 3.7
return {1,{2,{ok="x"},{err="E y"}},nil,4}
return loadstring("return 1")()
n=n+1 return n
m=m+1 return m
return redis.sha1hex("a")
return {redis.acl_check_cmd("get","s"),redis.acl_check_cmd("set","s","x")}
return redis.set_repl(redis.REPL_ALL)
redis.setresp(3) return redis.call("hgetall","h")
return cjson.encode({1,2,{a=args[1]}})
return redis.replicate_commands()
redis.log(redis.LOG_DEBUG,"x") return 1
keys[1]="z" return keys
return function() end
""".strip("\n").split("\n")

SUBCOMMANDS = [
    "LIST X", "LIST LIBRARYNAME", "LIST LIBRARYNAME a LIBRARYNAME x", "LIST WITHCODE WITHCODE", "LIST LIBRARYNAME t* WITHCODE",
    "LIST LIBRARYNAME T*", "LIST WITHCODE LIBRARYNAME nosuch", "DELETE nosuch", "DELETE", "DELETE a b", "LOAD", "LOAD REPLACE",
    "LOAD FOO x", "LOAD REPLACE FOO x", "LOAD REPLACE REPLACE x", "FLUSH X", "FLUSH SYNC X", "STATS", "STATS x", "KILL", "KILL x",
    "NOSUCH", "", "DUMP x", "RESTORE x", "RESTORE x FOO", "RESTORE x APPEND y", "RESTORE", "RESTORE x FLUSH", "DELETE taken",
    "FLUSH ASYNC", "LIST", "DUMP"]

FCALLS = [["FCALL"], ["FCALL", "f"], ["FCALL", "nosuch", "0"], ["FCALL", "nosuch", "x"], ["FCALL", "f", "x"], ["FCALL", "f", "-1"],
          ["FCALL", "f", "3", "a"], ["FCALL", "f", "2", "a", "b", "c"], ["FCALL", "F", "0", "c"], ["FCALL", "f", "1.0"],
          ["FCALL", "f", "99999999999999999999"], ["FCALL", "f", "0", ""], ["FCALL", "", "0"], ["FCALL", "f" * 2000, "0"],
          ["FCALL_RO"], ["FCALL_RO", "f", "0"], ["FCALL_RO", "nosuch", "0"], ["FCALL_RO", "ro", "1", "s"],
          ["FCALL_RO", "row", "1", "s"], ["FCALL", "ro", "1", "s"], ["FCALL", "row", "1", "s"], ["FCALL", "oom", "1", "s"],
          ["EVAL", "return redis.call('fcall','f',0)", "0"], ["EVAL", "return redis.call('fcall_ro','f',0)", "0"],
          ["EVAL", "return redis.call('function','stats')", "0"], ["EVAL", "return redis.call('function','load','x')", "0"],
          ["EVAL", "return redis.register_function", "0"], ["COMMAND", "GETKEYS", "FCALL", "f", "2", "a", "b", "c"],
          ["COMMAND", "GETKEYSANDFLAGS", "FCALL_RO", "f", "1", "a", "b"]]

FLAGGED = """#!lua name=flagged
redis.register_function("f", function(keys, args) return {keys, args} end)
redis.register_function{function_name="ro", callback=function(k) return redis.call("get", k[1]) end, flags={"no-writes"}}
redis.register_function{function_name="row", callback=function(k) return redis.call("set", k[1], "q") end, flags={"no-writes"}}
redis.register_function{function_name="oom", callback=function(k) return redis.call("set", k[1], "q") end, flags={"allow-oom"}}
redis.register_function("write", function(k) return redis.call("set", k[1], "q") end)
"""


def library(name, function, body="return 1"):
    return '#!lua name=%s\nredis.register_function("%s", function(keys, args) %s end)' % (name, function, body)


def code(text):
    return b"\xf5" + string(text.encode())


def payloads():
    """Payloads of FUNCTION RESTORE, with its options: those that redis-server reads or refuses in
    the same words."""
    a, b = code(library("a", "fa")), code(library("b", "fb"))
    yield payload(b"")
    yield payload(a + b)
    yield payload(a), "APPEND"
    yield payload(code(library("a", "fb"))), "REPLACE"
    yield payload(code(library("a", "fc"))), "REPLACE"
    yield payload(code(library("c", "fx")) + code(library("d", "fx"))), "FLUSH"
    yield payload(code(library("c", "fx")) + code(library("d", "FX"))), "FLUSH"
    yield payload(b"\x00\x01a"),
    yield payload(a + b"\xff"), "FLUSH"
    yield payload(code("junk")),
    yield payload(code(library("e", "fe")) + code("#!lua name=x\nfoo bar")),
    yield payload(code(library("e", "fe")) + code("#!lua name=x\nfoo()")),
    yield payload(code(library("e", "fe")) + code("#!lua name=x\nreturn 1")),
    yield payload(code(library("e", "fe")) + code("#!js name=x\nfoo()")),
    yield payload(code(library("b", "fb")) + code(library("g", "fg"))),
    yield payload(code(library("g", "fb")) + code(library("b", "fg"))), "replace"
    yield payload(code(library("h", "fc"))), "replace"
    yield payload(code(library("h", "fh")))[:-1] + b"x", "flush"
    yield payload(code(library("h", "fh")), version=99), "flush"
    yield b"short",
    yield payload(code(library("h", "fh", "return '%s'" % ("x" * 5000)))),
    yield payload(code(library("i", "fi"))), "FLUSH"


def outcome(client, *words):
    try:
        return client.call(*words)
    except resp.RespError as e:
        return ("error", str(e))


def pairs(value):
    return value if isinstance(value, dict) else dict(zip(value[::2], value[1::2]))


def listed(client, *words):
    """FUNCTION LIST, in an order of its own: redis-server's is that of a hash table."""
    answer = outcome(client, "FUNCTION", "LIST", *words)
    if not isinstance(answer, list):
        return answer
    rows = []
    for row in map(pairs, answer):
        functions = [pairs(f) for f in row.pop(b"functions")]
        rows.append((sorted(row.items()),
                     sorted((f[b"name"], str(f[b"description"]), sorted(f[b"flags"])) for f in functions)))
    return sorted(rows)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-functions-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, how=resp.start_stillframe, *args, directory=None):
        directory = directory or tempfile.mkdtemp(dir=self.dir)
        server = how(directory, "--save", "", "--enable-debug-command", "yes", *args)
        self.addCleanup(server.kill)
        return server

    def info(self, client, field):
        return re.search(rb"^%s:(.*)\r$" % field.encode(), client.call("INFO", "ALL"), re.M).group(1).decode()


class BesideRedis(Case):
    def both(self):
        return [self.start(how).client() for how in (resp.start_stillframe, resp.start_redis_server)]

    def same(self, clients, *words):
        ours, theirs = [outcome(c, *words) for c in clients]
        with self.subTest(words=words):
            self.assertEqual(ours, theirs)

    def same_lists(self, clients, *words):
        ours, theirs = [listed(c, *words) for c in clients]
        self.assertEqual(ours, theirs)

    def test_texts_of_libraries(self):
        clients = self.both()
        for replace in ([], ["REPLACE"]):
            for c in clients:
                c.call("FUNCTION", "FLUSH")
                c.call("FUNCTION", "LOAD", library("taken", "taken"))
            for text in HEADS + ["#!lua name=a\n" + b for b in BODIES]:
                self.same(clients, "FUNCTION", "LOAD", *replace, text)
                self.same_lists(clients, "WITHCODE")

    def test_calls(self):
        clients = self.both()
        texts = ["#!lua name=calls\nlocal r, n = redis, 0"] + [
            'redis.register_function("f%d", function(keys, args) %s end)' % (i, body) for i, body in enumerate(CALLS)]
        for protocol in ("2", "3"):
            for c in clients:
                c.call("HELLO", protocol)
                c.call("FUNCTION", "LOAD", "REPLACE", "\n".join(texts))
                c.call("SET", "s", "text")
                c.call("HSET", "h", "f", "v")
            for i in range(len(CALLS)):
                for _ in range(2):
                    self.same(clients, "FCALL", "f%d" % i, "0")
                self.same(clients, "FCALL", "F%d" % i, "1", "key", "arg")
                self.same(clients, "FCALL_RO", "f%d" % i, "0")
            self.same(clients, "GET", "key")

    def test_arguments_of_the_commands(self):
        clients = self.both()
        for c in clients:
            c.call("FUNCTION", "LOAD", FLAGGED)
            c.call("FUNCTION", "LOAD", library("taken", "taken"))
            c.call("SET", "s", "text")
        for words in FCALLS:
            self.same(clients, *words)
        for text in SUBCOMMANDS:
            if text.startswith("LIST"):
                self.same_lists(clients, *text.split()[1:])
            else:
                self.same(clients, "FUNCTION", *text.split())

    def test_transactions_and_maxmemory(self):
        clients = self.both()
        for c in clients:
            c.call("FUNCTION", "LOAD", FLAGGED)
        for words in (["MULTI"], ["FCALL", "f", "0"], ["FCALL", "nosuch", "0"], ["FUNCTION", "LOAD", library("a", "fa")],
                      ["FCALL", "fa", "0"], ["FUNCTION", "STATS"], ["FUNCTION", "DELETE", "a"], ["EXEC"],
                      ["MULTI"], ["FUNCTION", "NOSUCH"], ["EXEC"], ["SET", "s", "v"], ["FLUSHALL"], ["FUNCTION", "STATS"],
                      ["SET", "s", "v"], ["CONFIG", "SET", "maxmemory", "1"], ["FCALL", "write", "1", "s"], ["FCALL", "f", "0"],
                      ["FCALL", "ro", "1", "s"], ["FCALL", "row", "1", "s"], ["FCALL", "oom", "1", "s"], ["FCALL_RO", "ro", "1", "s"],
                      ["FUNCTION", "LOAD", library("b", "fb")], ["FUNCTION", "RESTORE", "x"], ["FUNCTION", "DELETE", "nosuch"],
                      ["FUNCTION", "FLUSH"], ["FUNCTION", "STATS"]):
            self.same(clients, *words)

    def test_payloads(self):
        clients = self.both()
        for words in payloads():
            words = (words,) if isinstance(words, bytes) else words
            self.same(clients, "FUNCTION", "RESTORE", *words)
            self.same_lists(clients, "WITHCODE")
        # Redis says less of these.
        for bad in (b"\xf5", b"\xf5\x0aabc", code("#!lua name=x\n") + b"\xf5\xc3"):
            ours, theirs = [outcome(c, "FUNCTION", "RESTORE", payload(bad)) for c in clients]
            self.assertRegex(str(ours), "ERR (Failed loading library payload: |Missing|No functions)")
            self.assertEqual(theirs[0], "error")

    def test_what_a_payload_of_one_is_to_the_other(self):
        clients = self.both()
        texts = [library("short", "s"), library("long", "l", "return '%s'" % ("abc" * 3000)), FLAGGED]
        for compression in ("yes", "no"):
            for c in clients:
                c.call("CONFIG", "SET", "rdbcompression", compression)
            for source, target in (clients, clients[::-1]):
                source.call("FUNCTION", "FLUSH")
                for text in texts:
                    source.call("FUNCTION", "LOAD", text)
                target.call("FUNCTION", "RESTORE", source.call("FUNCTION", "DUMP"), "FLUSH")
                self.same_lists(clients, "WITHCODE")
                self.assertEqual(target.call("FCALL", "l", 0), b"abc" * 3000)
        for c in clients:  # of one library the payloads are the same bytes
            c.call("FUNCTION", "FLUSH")
            c.call("FUNCTION", "LOAD", texts[0])
        self.same(clients, "FUNCTION", "DUMP")

    def test_dumps_in_both_directions(self):
        for source, target in ((resp.start_stillframe, resp.start_redis_server), (resp.start_redis_server, resp.start_stillframe)):
            directory = tempfile.mkdtemp(dir=self.dir)
            old = self.start(source, "--rdb-version", "10", directory=directory) if source is resp.start_stillframe else \
                self.start(source, directory=directory)
            with old.client() as c:
                c.call("FUNCTION", "LOAD", FLAGGED)
                c.call("FUNCTION", "LOAD", library("long", "l", "return '%s'" % ("abc" * 3000)))
                c.call("SET", "s", "text")
                c.call("SAVE")
                before = listed(c, "WITHCODE")
            old.kill()
            new = self.start(target, directory=directory)
            with new.client() as c:
                self.assertEqual(listed(c, "WITHCODE"), before)
                self.assertEqual(c.call("FCALL_RO", "ro", 1, "s"), b"text")
            new.kill()

    def test_a_function_that_takes_long(self):
        """Who else comes is told so; each kind of script is ended by its own command."""
        text = """#!lua name=l
redis.register_function("loop", function() while true do end end)
redis.register_function("wloop", function() redis.call("set", "a", "b") while true do end end)
redis.register_function{function_name="roloop", callback=function() while true do end end, flags={"no-writes"}}"""
        asked = (["PING"], ["FCALL", "loop", "0"], ["FUNCTION", "LIST"], ["SHUTDOWN"], ["FUNCTION", "LOAD", "x"])
        told = []
        for how in (resp.start_stillframe, resp.start_redis_server):
            server = self.start(how, "--busy-reply-threshold", "50")
            c, answers = server.client(), []
            c.call("FUNCTION", "LOAD", text)
            for words, end, other in ((["FCALL", "loop", "1", "k", "x"], "FUNCTION", "SCRIPT"), (["FCALL_RO", "roloop", "0"], "FUNCTION", "SCRIPT"),
                                      (["EVAL", "while true do end", "0"], "SCRIPT", "FUNCTION")):
                runner = server.client()
                runner.send(*words)
                resp.wait_until(lambda: "BUSY" in str(outcome(c, "PING")))
                answers += [outcome(c, *w) for w in asked]
                stats = outcome(c, "FUNCTION", "STATS")
                if isinstance(stats, list):
                    running = pairs(pairs(stats)[b"running_script"])
                    self.assertGreaterEqual(running.pop(b"duration_ms"), 50)
                    stats = [running, pairs(stats)[b"engines"]]
                answers += [stats, outcome(c, other, "KILL"), outcome(c, end, "KILL")]
                try:
                    answers.append(runner.read(raising=True))
                except resp.RespError as e:
                    answers.append(str(e))
                resp.wait_until(lambda: outcome(c, "PING") in ("PONG", b"PONG"))
                answers += [outcome(c, "FUNCTION", "KILL"), outcome(c, "SCRIPT", "KILL")]
            runner = server.client()
            runner.send("FCALL", "wloop", "0")
            resp.wait_until(lambda: "BUSY" in str(outcome(c, "PING")))
            answers += [outcome(c, "FUNCTION", "KILL"), outcome(c, "SCRIPT", "KILL")]
            c.send("SHUTDOWN", "NOSAVE")
            self.assertEqual(server.wait(), 0)
            self.assertIn("You can try killing the script using the FUNCTION KILL command. Script name is: wloop.", server.log())
            told.append(answers)
        self.assertEqual(*told)

    def test_a_signal_waits_for_the_end_of_a_function(self):
        for how in (resp.start_stillframe, resp.start_redis_server):
            server = self.start(how, "--busy-reply-threshold", "50")
            c = server.client()
            c.call("FUNCTION", "LOAD", library("l", "loop", "while true do end"))
            c.send("FCALL", "loop", "0")
            other = server.client()
            resp.wait_until(lambda: "BUSY" in str(outcome(other, "PING")))
            os.kill(server.process.pid, signal.SIGTERM)
            resp.wait_until(lambda: "Received SIGTERM" in server.log())
            self.assertIn("BUSY", str(outcome(other, "PING")))
            self.assertEqual(outcome(other, "FUNCTION", "KILL"), b"OK")
            self.assertEqual(server.wait(), 0)


class Saves(Case):
    def test_libraries_are_there_after_a_kill(self):
        server = self.start()
        with server.client() as c:
            c.call("FUNCTION", "LOAD", FLAGGED)
            c.call("SET", "s", "text")
            c.call("FLUSHALL")
            c.call("SET", "s", "text")
            self.assertGreater(int(self.info(c, "rdb_changes_since_last_save")), 2)
            before = c.call("FUNCTION", "LIST", "WITHCODE")
            c.call("BGSAVE", "WAIT")
            c.call("FUNCTION", "LOAD", library("late", "late"))
        server.kill()
        server = self.start(directory=server.dir)
        with server.client() as c:
            self.assertEqual(c.call("FUNCTION", "LIST", "WITHCODE"), before)
            self.assertEqual(c.call("FCALL_RO", "ro", 1, "s"), b"text")
            self.assertIn("Function libraries loaded: 1, with 5 functions", server.log())
            c.call("DEBUG", "RELOAD")
            self.assertEqual(c.call("FUNCTION", "LIST", "WITHCODE"), before)
            self.assertEqual(c.call("FCALL_RO", "ro", 1, "s"), b"text")
            c.call("FUNCTION", "DELETE", "flagged")
            c.call("DEBUG", "RELOAD", "NOSAVE")  # what the file has
            self.assertEqual(c.call("FCALL_RO", "ro", 1, "s"), b"text")
            self.assertIn("error", str(outcome(c, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")))  # it is there already
            self.assertEqual(c.call("FCALL_RO", "ro", 1, "s"), b"text")
            c.call("CONFIG", "SET", "rdb-version", "9")
            c.call("SAVE")
            c.call("DEBUG", "RELOAD", "NOSAVE")
            self.assertEqual(c.call("FUNCTION", "LIST"), [])
            c.call("FUNCTION", "LOAD", FLAGGED)
            os.unlink(os.path.join(server.dir, "dump.rdb"))
            self.assertIn("error", str(outcome(c, "DEBUG", "RELOAD", "NOSAVE")))  # what was there is gone all the same
            self.assertEqual([c.call("FUNCTION", "LIST"), self.info(c, "number_of_functions"), self.info(c, "rdb_kept_libraries")],
                             [[], "0", "0"])
            c.call("FUNCTION", "LOAD", FLAGGED)

    def test_a_save_holds_the_libraries_of_its_instant(self):
        """Two libraries and a key change together, so in each dump the three say the same."""
        server = self.start()
        c, saver = server.client(), server.client()
        c.call("DEBUG", "POPULATE", "200000")
        random.seed(17)
        for n in range(12):
            self.change(c, 1000 * n)
            saver.send("BGSAVE", "WAIT")
            for i in range(1, random.randint(5, 40)):
                self.change(c, 1000 * n + i)
            saver.read(raising=True)
            copy = tempfile.mkdtemp(dir=self.dir)
            shutil.copy(os.path.join(server.dir, "dump.rdb"), copy)
            loaded = self.start(directory=copy)
            with loaded.client() as o:
                v = o.call("GET", "v")
                self.assertEqual(int(v) // 1000, n)
                self.assertEqual([o.call("FCALL", "fa", 0), o.call("FCALL", "fb", 0)], [v, v])
            loaded.kill()

    def change(self, c, n):
        """One of the ways in which the three become n, as one command."""
        a, b = [library(x, "f" + x, "return '%d'" % n) for x in "ab"]
        words = random.choice(([("FUNCTION", "LOAD", "REPLACE", a)], [("FUNCTION", "FLUSH"), ("FUNCTION", "LOAD", a)],
                               [("FUNCTION", "LOAD", "REPLACE", a), ("FUNCTION", "DELETE", "a"), ("FUNCTION", "LOAD", a)],
                               [("FUNCTION", "RESTORE", payload(code(a) + code(b)), "FLUSH")]))
        words = [("MULTI",), *words, ("SET", "v", n), ("FUNCTION", "LOAD", "REPLACE", b), ("EXEC",)]
        self.assertNotIn("error", str(c.pipeline(words)[-1]).lower())

    def test_a_library_that_cannot_be_used_is_kept_and_told(self):
        bad = {"#!lua name=broken\nlocal x =": "Error compiling function: user_function:2: unexpected symbol near '<eof>'",
               "#!lua name=empty\nreturn 1": "No functions registered", "#!js name=other\nx": "Engine 'js' not found",
               library("twin", "good"): "Function good already exists"}
        directory = tempfile.mkdtemp(dir=self.dir)
        with open(os.path.join(directory, "dump.rdb"), "wb") as f:
            f.write(rdb(code(library("fine", "good")), *[code(text) for text in bad]))
        server = self.start(directory=directory)
        for text, why in bad.items():
            name = re.search("name=(\\w+)", text).group(1)
            self.assertIn('The function library "%s" cannot be used here, and its functions cannot be called: ERR %s. It is kept' %
                          (name, why), server.log())
        with server.client() as c:
            self.assertEqual(c.call("FCALL", "good", 0), 1)
            self.assertEqual(sorted(len(pairs(row)[b"functions"]) for row in c.call("FUNCTION", "LIST")), [0] * 4 + [1])
            self.assertEqual([self.info(c, f) for f in ("number_of_libraries", "number_of_functions", "rdb_kept_libraries")],
                             ["5", "1", "4"])
            self.assertIn("already exists", str(outcome(c, "FUNCTION", "LOAD", library("broken", "mended"))))
            c.call("FUNCTION", "LOAD", "REPLACE", library("broken", "mended"))
            c.call("FUNCTION", "DELETE", "empty")
            c.call("SAVE")
            c.call("DEBUG", "RELOAD")
            self.assertEqual(c.call("FCALL", "mended", 0), 1)
            self.assertEqual(self.info(c, "rdb_kept_libraries"), "2")
            codes = {pairs(row)[b"library_code"].decode() for row in c.call("FUNCTION", "LIST", "WITHCODE")}
            self.assertEqual(codes, {library("fine", "good"), library("broken", "mended"), "#!js name=other\nx",
                                     library("twin", "good")})
            c.call("FUNCTION", "FLUSH")
            self.assertEqual([self.info(c, f) for f in ("number_of_libraries", "rdb_kept_libraries", "rdb_kept_library_bytes")],
                             ["0", "0", "0"])


class Limits(Case):
    def test_what_is_refused_changes_nothing(self):
        c = self.start().client()
        c.call("FUNCTION", "LOAD", library("a", "fa", "return 'old'"))
        c.call("FUNCTION", "LOAD", library("b", "fb"))
        before, changes = c.call("FUNCTION", "LIST", "WITHCODE"), self.info(c, "rdb_changes_since_last_save")
        for words in (["LOAD", "REPLACE", library("a", "fa") + " error()"], ["LOAD", "REPLACE", library("a", "fb")],
                      ["LOAD", "REPLACE", "#!lua name=a\nlocal"], ["LOAD", library("c", "FB")], ["DELETE", "c"],
                      ["RESTORE", payload(code(library("c", "fc")) + code(library("b", "fb")))],
                      ["RESTORE", payload(code(library("a", "fx")) + code(library("c", "fb"))), "REPLACE"],
                      ["RESTORE", payload(code(library("a", "fx")) + code(library("c", "fx"))), "FLUSH"]):
            self.assertEqual(outcome(c, "FUNCTION", *words)[0], "error", words)
            self.assertEqual(c.call("FUNCTION", "LIST", "WITHCODE"), before)
        self.assertEqual(self.info(c, "rdb_changes_since_last_save"), changes)
        self.assertEqual([c.call("FCALL", "fa", 0), c.call("FCALL", "fb", 0)], [b"old", 1])

    def test_names_that_differ_in_case_alone(self):
        c = self.start().client()
        self.assertIn("ERR Error registering functions: ERR Function already exists in the library",
                      str(outcome(c, "FUNCTION", "LOAD", library("a", "f") + ' redis.register_function("F", function() end)')))
        self.assertIn("at most", str(outcome(c, "FUNCTION", "LOAD", library("a", "f" * 513))))
        c.call("FUNCTION", "LOAD", library("a", "f" * 512))
        self.assertEqual(c.call("FCALL", "F" * 512, 0), 1)
        c.call("FUNCTION", "LOAD", library("A", "g"))  # of libraries case counts
        self.assertEqual(self.info(c, "number_of_libraries"), "2")

    def test_memory_is_counted_and_bounded(self):
        c = self.start(resp.start_stillframe, "--script-memory-limit", "4mb").client()
        c.call("FUNCTION", "LOAD", library("a", "fa", "return 'old'"))
        used = int(self.info(c, "used_memory_functions"))
        self.assertGreater(used, 50)
        greedy = '#!lua name=a\nlocal t = {} for i = 1, 1e7 do t[i] = i end'
        many = '#!lua name=a\nfor i = 1, 1e7 do redis.register_function("f" .. i, function() end) end'
        long = '#!lua name=a\nlocal d = ("x"):rep(1000000) for i = 1, 100 do redis.register_function{function_name="f" .. i, ' \
               'callback=function() end, description=d} end'
        for text in (greedy, many, long, library("a", "fa") + " --" + "x" * 5000000):
            self.assertIn("OOM the library needs more memory than script-memory-limit allows",
                          str(outcome(c, "FUNCTION", "LOAD", "REPLACE", text)))
            self.assertEqual(c.call("FCALL", "fa", 0), b"old")
            self.assertEqual(c.call("EVAL", "return 1", 0), 1)
        self.assertEqual(int(self.info(c, "used_memory_functions")), used)
        for i in range(300):
            c.call("FUNCTION", "LOAD", "REPLACE", library("b", "fb", "return '%s'" % ("x" * 50000)))
        self.assertEqual(c.call("FCALL", "fa", 0), b"old")
        c.call("FUNCTION", "LOAD", library("keep", "keep", "local t = {} while true do t[#t+1] = ('x'):rep(1000) .. #t end"))
        self.assertIn("not enough memory", str(outcome(c, "FCALL", "keep", 0)))
        self.assertEqual(c.call("FCALL", "fa", 0), b"old")
        c.call("FUNCTION", "FLUSH", "ASYNC")
        figures = {f: self.info(c, f) for f in ("number_of_functions", "number_of_libraries", "used_memory_vm_functions",
                                                "used_memory_functions")}
        self.assertEqual(set(figures.values()), {"0"}, figures)
        self.assertGreater(int(self.info(c, "used_memory_vm_eval")), 0)
        self.assertEqual(self.info(c, "used_memory_vm_total"), self.info(c, "used_memory_vm_eval"))

    def test_a_large_state_is_freed_while_others_are_served(self):
        c = self.start(resp.start_stillframe, "--script-memory-limit", "100mb").client()
        before = int(self.info(c, "used_memory"))
        for _ in range(3):  # one that is flushed while another is being freed, too
            for name in "ab":
                c.call("FUNCTION", "LOAD", '#!lua name=%s\nlocal t = {} redis.register_function("f%s", function() '
                       "for i = 1, 4e5 do t[i] = {i} end return #t end)" % (name, name))
                self.assertEqual(c.call("FCALL", "f" + name, 0), 400000)
            self.assertGreater(int(self.info(c, "used_memory_vm_functions")), 60000000)
            c.call("FUNCTION", "FLUSH")
            self.assertEqual(self.info(c, "used_memory_vm_functions"), "0")
        resp.wait_until(lambda: int(self.info(c, "used_memory")) < before + 5000000)
        self.assertEqual(c.call("EVAL", "return 1", 0), 1)

    def test_scripts_and_functions_know_nothing_of_each_other(self):
        c = self.start().client()
        c.call("FUNCTION", "LOAD", '#!lua name=l\nlocal n = 0 server.register_function("next", function() n = n + 1 return n end)')
        self.assertEqual([c.call("FCALL", "next", 0) for _ in range(3)], [1, 2, 3])
        c.call("EVAL", "return 1", 0)
        c.call("SCRIPT", "FLUSH")
        self.assertEqual(c.call("FCALL", "next", 0), 4)
        self.assertEqual(self.info(c, "used_memory_vm_eval"), "0")

    def test_rights(self):
        server = self.start()
        c, u = server.client(), server.client()
        c.call("FUNCTION", "LOAD", FLAGGED)
        c.call("FUNCTION", "LOAD", """#!lua name=acl
redis.register_function("may", function(keys, args) return redis.acl_check_cmd(unpack(args)) end)
redis.register_function("get", function(keys, args) return redis.call("get", args[1]) end)""")
        c.call("SET", "a:1", "x")
        c.call("ACL", "SETUSER", "u", "on", "nopass", "~a:*", "%R~b:*", "+get", "+fcall", "+fcall_ro")
        u.call("AUTH", "u", "x")
        self.assertEqual(u.call("FCALL", "f", "1", "a:1"), [[b"a:1"], []])
        self.assertIn("NOPERM", str(outcome(u, "FCALL", "f", "1", "c")))
        self.assertIn("NOPERM", str(outcome(u, "FCALL", "f", "1", "b:1")))  # it may write
        self.assertEqual(u.call("FCALL_RO", "ro", "1", "b:1"), None)
        self.assertIn("NOPERM", str(outcome(u, "FUNCTION", "LIST")))
        self.assertIn("NOPERM", str(outcome(u, "FCALL", "write", "1", "a:1")))  # set is not u's
        self.assertEqual(u.call("FCALL", "get", "0", "a:1"), b"x")
        self.assertIn("NOPERM", str(outcome(u, "FCALL", "get", "0", "c")))
        self.assertEqual([u.call("FCALL", "may", "0", *words.split()) for words in
                          ("get a:1", "get c", "set a:1 x", "get b:1")], [1, None, None, 1])
        self.assertEqual([c.call("FCALL", "may", "0", *words.split()) for words in ("get c", "set a:1 x")], [1, 1])
        c.call("ACL", "SETUSER", "v", "on", "nopass", "~*", "+@scripting", "-function|load")
        u.call("AUTH", "v", "x")
        self.assertEqual(len(u.call("FUNCTION", "LIST")), 2)
        self.assertIn("NOPERM", str(outcome(u, "FUNCTION", "LOAD", library("x", "fx"))))


if __name__ == "__main__":
    unittest.main()
