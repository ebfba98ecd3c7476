#!/usr/bin/env python3
"""Lua scripts: each program's reply beside redis-server's, and what a long and a greedy script may
do.  What a hostile one may: test_script_sandbox.py; random ones: test_script_differential.py."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

# Programs whose replies are redis-server's, errors with their lines among them.
SAME = r"""
return 1
return {1,2,3.7,nil,4}
return 3.99
return -3.99
return 1e30
return 'a'
return true
return false
return nil
return function() end
return {ok='a\r\nb'}
return {ok=1}
return {err='a b'}
return {err=1}
return {double=1.5}
return {map={a=1}}
return {set={a=true}}
return {big_number='123'}
return {verbatim_string={format='txt',string='aa'}}
return {verbatim_string={format='txt'}}
return {1,{2,{3,{ok='x'},{err='E y'}}}}
redis.setresp(3) return true
redis.setresp(3) return false
redis.setresp(3) return redis.call('hgetall','h')
redis.setresp(3) return redis.call('hgetall','h').map.f
redis.setresp(3) return redis.call('smembers','s').set.m
redis.setresp(3) return redis.call('zscore','z','m')
redis.setresp(3) return redis.call('get','none') == nil
redis.setresp(3) local v=redis.call('info','keyspace').verbatim_string return {v.format, type(v.string), string.sub(v.string,1,10)}
local t={} for i=1,9000 do t[i]=(i*7919)%9001 end table.sort(t) local n=0 for i=2,#t do if t[i-1]>t[i] then n=n+1 end end return {n,t[1],t[#t],#t}
local t={} for i=1,9000 do t[i]=(i*7919)%9001 end table.sort(t,function(a,b) return a>b end) return {t[1],t[2],t[#t]}
local t={} for i=1,9000 do t[i]=(i*7919)%9001 end t[4000]='x' return {pcall(table.sort,t)}
local t={} for i=1,9000 do t[i]=(i*7919)%9001 end return {pcall(table.sort,t,math.max)}
local t={} for i=1,9000 do t[i]=(i*7919)%9001 end table.sort(t,rawequal)
return redis.call('get','none') == false
return redis.call('zscore','z','m')
return redis.call('set','kk','v')
return redis.call('set','kk','v').ok
return redis.call('lrange','l',0,-1)
return redis.call('lpop','none',2) == false
return redis.call('nosuch')
return redis.call('get')
return redis.call('incr','k')
return redis.call('lpush','k','x')
return redis.pcall('nosuch')
return redis.pcall('incr','k')
return redis.pcall('incr','k').err
local t=redis.pcall('get') local r={} for k,v in pairs(t) do r[#r+1]=k..'='..tostring(v) end table.sort(r) return r
return {pcall(redis.call,'incr','k')}
return {select(2,pcall(redis.call,'incr','k'))}
local a,b=pcall(redis.call,'incr','k') return type(b)
local a,b=pcall(error,'k') return {tostring(a),b}
return {xpcall(function() error('a') end, function(e) return e end)}
return {coroutine.resume(coroutine.create(function() return redis.call('nosuch') end))}
return coroutine.wrap(function() return redis.call('ping') end)()
error('x')
error({err='MY x'})
error({err='MYx'})
local a = nil .. 'x'
local a = nil; a.b=1
local function f() f() end f()
local function f() return f() + 1 end f()
x=1
return x
redis.x=1
string.x=1
KEYS=1
KEYS[1]=1 return KEYS
rawset(_G,'x',1)
table.insert(_G,1)
setmetatable(_G,{})
setmetatable(redis,{})
return type(getmetatable(_G))
return type(getmetatable(''))
return type(getmetatable(redis))
getmetatable('').__index=1
getmetatable(_G).__index=1
return rawget(_G,'nosuch')
local n=0 for k,v in pairs(redis) do n=n+1 end return n
for k,v in pairs(_G) do if k=='redis' then return 1 end end
return type(next(string))
print('x')
return getfenv
return newproxy
return dofile
return require
return io
return debug
return redis.error_reply('foo bar')
return redis.error_reply('-foo bar')
return redis.error_reply('foo')
return redis.error_reply('-foo')
return redis.error_reply()
return redis.error_reply(1)
return redis.status_reply('foo')
return redis.status_reply({})
return redis.call()
return redis.pcall()
return redis.call({})
return redis.call('set','a',{})
return redis.call('set','a',nil)
return redis.call('set','a',true)
return redis.call('echo',1.5)
return redis.call('echo',3)
return redis.call('echo',1e20)
return redis.call('echo',2^53)
return redis.call('echo',-0.1)
return redis.call('echo',1e15)
return redis.call('echo',-0)
return redis.call('bgsave')
return redis.call('config','get','port')
return redis.call('config','nosuch','port')
return redis.call('object','nosuch','port')
return redis.call('multi')
return redis.call('subscribe','a')
return redis.call('eval','return 1',0)
return redis.call('auth','x')
return redis.call('client','id')
return redis.call('debug','sleep',0)
return redis.call('ping','a','b')
return redis.call('GET','k')
return redis.call('select',3)
return redis.call('publish','c','x')
return redis.call('flushdb','nosuch')
return redis.sha1hex('')
return redis.sha1hex(12)
return redis.sha1hex({})
return redis.sha1hex()
return redis.setresp(4)
return redis.setresp()
return redis.log(1)
return redis.log(9,'a')
return redis.log('a','a')
return redis.log(0,'a','b')
return redis.set_repl(9)
return redis.set_repl('a')
return redis.set_repl()
return redis.set_repl(redis.REPL_NONE)
return {redis.REPL_NONE,redis.REPL_AOF,redis.REPL_SLAVE,redis.REPL_REPLICA,redis.REPL_ALL}
return {redis.LOG_DEBUG,redis.LOG_VERBOSE,redis.LOG_NOTICE,redis.LOG_WARNING}
return redis.replicate_commands()
return tostring(redis.breakpoint())
return tostring(redis.debug('a'))
return redis.acl_check_cmd('get','k')
return redis.acl_check_cmd('nosuch','k')
return redis.acl_check_cmd('config','nosuch')
return redis.acl_check_cmd()
syntax error here
return 'a
math.randomseed(7) return {math.random(100), tostring(math.random()), math.random(5,7)}
return math.random(0)
return math.random(3,2)
return math.random(1,2,3)
return loadstring('return 1')()
return {loadstring('return x x')}
return {loadstring('\27Lua')}
local n=0 return load(function() n=n+1 return ({'return ','4','2'})[n] end)()
return type(load(function() return {} end))
return type(load(function() error('x') end))
return {unpack({1,2,3})}
return {unpack({1,2,3},2)}
return {unpack({1,2,3},-1,1e8)}
return {unpack({},0,2147483647)}
return {unpack({},-2147483648,2147483647)}
return string.format('%5.1f %d %s %q', 1.25, 7, 'x', 'a"b')
return {string.find('hello','l+'),string.gsub('hello','l','L')}
return {collectgarbage('stop'),collectgarbage('collect'),type(collectgarbage('count'))}
return table.concat({1,2,3},',')
return {bit.band(7,2),bit.bor(1,2),bit.tohex(255),bit.lshift(1,4)}
return cjson.encode({1,2,{a='b'}})
return cjson.encode({[1]=1,[2]=2,[5]=5})
return cjson.encode({[1]=1,[1000]=2})
return cjson.encode({1.5,1e300,-3,true,cjson.null,'\0\1"\\/é'})
return cjson.encode(1/0)
return cjson.encode({f=function() end})
return cjson.encode()
local t={} t[1]=t return cjson.encode(t)
return cjson.decode('{')
return cjson.decode('[1,2,{"a":[true,null,"x"]}]')[3].a
return cjson.decode('{"a":1.5e3,"b":"\\u00e9"}').b
return cjson.decode(string.rep('[',2000))
return cjson.null == cjson.decode('null')
return cjson.decode('[1,2')
return {cmsgpack.unpack(cmsgpack.pack(1,-1,1.5,'a',true,false,nil,{1,2},{a=1}))}
return cmsgpack.pack({{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}})
local t={} t[1]=t return cmsgpack.pack(t)
return cmsgpack.pack()
return cmsgpack.pack(0,127,128,255,256,65535,65536,2^32-1,2^32,2^53,-1,-32,-33,-128,-129,-32768,-32769,-2^31,-2^31-1,-2^53)
return cmsgpack.pack(1.5,1.1,1/0,-1/0,1e300,-0.5)
return cmsgpack.pack(('x'):rep(31),('x'):rep(32),('x'):rep(255),('x'):rep(256))
return #cmsgpack.pack(('x'):rep(70000))
local t={} for i=1,15 do t[i]=i end return cmsgpack.pack(t)
local t={} for i=1,16 do t[i]=i end return cmsgpack.pack(t)
local t={} for i=1,70000 do t[i]=1 end return redis.sha1hex(cmsgpack.pack(t))
return cmsgpack.pack({},{[2]=1},{[1.5]=1},{[0]=1},{x={}})
return cmsgpack.pack(function() end)
return {cmsgpack.unpack('')}
return cmsgpack.unpack('\217')
return cmsgpack.unpack('\193')
return cmsgpack.unpack('\220\255\255')
return cmsgpack.unpack('\145')
return cmsgpack.unpack({})
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),4)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),-1)
return {cmsgpack.unpack('\204\255\205\255\255\206\255\255\255\255\208\255\209\255\254\210\255\255\255\253\202\63\192\0\0')}
return struct.pack('>I2I4<I2',1,2,3)
return struct.pack('!8 b d h',1,2.5,3)
return struct.pack('bBhHlLTiIfd',-1,255,-2,65535,-3,4,5,-6,7,1.5,2.5)
return struct.pack('i3>i5',-2,-70000)
return struct.pack('sc3xc0','abc','defg','hi')
return struct.pack('c9','short')
return struct.pack('i33',1)
return struct.pack('!3 i',1)
return struct.pack('z',1)
return struct.pack('i')
return struct.pack('i99999999999999999999',1)
return {struct.unpack('>I2I4<I2',struct.pack('>I2I4<I2',1,2,3))}
return {struct.unpack('bBhHlLTiIfd',struct.pack('bBhHlLTiIfd',-1,255,-2,65535,-3,4,5,-6,7,1.5,2.5))}
return {struct.unpack('i3>i5',struct.pack('i3>i5',-2,-70000))}
return {struct.unpack('sc3xc2',struct.pack('sc3xc2','abc','defg','hi'))}
return {struct.unpack('bc0','\3abcd')}
return {struct.unpack('c0','abcd')}
return {struct.unpack('s','abcd')}
return {struct.unpack('i4','abc')}
return {struct.unpack('b','abc',3)}
return {struct.unpack('b','abc',4)}
return {struct.unpack('b','abc',0)}
return {struct.unpack('b','abc',-1)}
return {struct.size('!8bd'),struct.size('i3x'),struct.size('>bc5')}
return struct.size('s')
return struct.size('c0')
return struct.size('c2147483647c2147483647c2147483647')
return pairs(nil)
return setmetatable({},nil) == nil
return setmetatable({})
local t=setmetatable({},{__metatable='locked'}) return {getmetatable(t),pcall(setmetatable,t,{})}
local t=setmetatable({},{__index=function(t,k) return k..'!' end}) return {t.a,rawget(t,'a') == nil}
#!lua
return 1
#!lua flags=no-writes
return redis.call('set','a',1)
#!lua flags=no-writes
return redis.pcall('publish','a',1)
#!lua flags=no-writes
return redis.call('get','k')
#!lua flags=foo
return 1
#!lua flags=no-writes,allow-oom,allow-stale,no-cluster,allow-cross-slot-keys
return 1
#!lua flags=
return 1
#!foo
return 1
#!lua bar
return 1
#!lua
error('x')
""".strip("\n").split("\n")


def programs():
    head = None
    for line in SAME:
        if line.startswith("#!"):
            head = line
        else:
            yield line if head is None else head + "\n" + line
            head = None


def outcome(client, *words):
    try:
        return client.call(*words)
    except resp.RespError as e:
        return ("error", str(e))


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="stillframe-scripts-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def start(self, how=resp.start_stillframe, *args):
        directory = tempfile.mkdtemp(dir=self.dir)
        server = how(directory, "--save", "", *args)
        self.addCleanup(server.kill)
        return server


class BesideRedis(Case):
    def both(self):
        return [self.start(how).client() for how in (resp.start_stillframe, resp.start_redis_server)]

    def fill(self, clients):
        for c in clients:
            for words in (["SET", "k", "a"], ["RPUSH", "l", "a", "b"], ["ZADD", "z", "1.5", "m"], ["HSET", "h", "f", "v"],
                          ["SADD", "s", "m"]):
                c.call(*words)

    def test_programs(self):
        ours, theirs = self.both()
        for protocol in ("2", "3"):
            for c in (ours, theirs):
                c.call("HELLO", protocol)
            for program in programs():
                self.fill((ours, theirs))
                with self.subTest(program=program, protocol=protocol):
                    self.assertEqual(outcome(ours, "EVAL", program, "0"), outcome(theirs, "EVAL", program, "0"))
                for c in (ours, theirs):
                    c.call("FLUSHALL")

    def test_arguments_of_the_commands(self):
        ours, theirs = self.both()
        self.fill((ours, theirs))
        sha = ours.call("SCRIPT", "LOAD", "return {KEYS,ARGV}").decode()
        self.assertEqual(theirs.call("SCRIPT", "LOAD", "return {KEYS,ARGV}").decode(), sha)
        for words in (["EVAL", "return 1", "x"], ["EVAL", "return 1", "-1"], ["EVAL", "return 1", "2", "a"],
                      ["EVAL", "return {KEYS,ARGV}", "1", "a", "b", "c"], ["EVALSHA", sha, "2", "a", "b", "c"],
                      ["EVALSHA", sha.upper(), "0", "a"], ["EVALSHA_RO", sha, "1", "a"], ["EVALSHA", "foo", "0"],
                      ["EVALSHA", "a" * 40, "0"], ["EVALSHA", "a" * 40, "-1"], ["EVALSHA_RO", "a" * 40, "0"],
                      ["EVAL_RO", "return redis.call('set','a',1)", "0"], ["EVAL_RO", "return redis.call('get','k')", "0"],
                      ["EVAL_RO", "return redis.call('pfcount','k')", "0"], ["EVAL_RO", "#!lua\nreturn 1", "0"],
                      ["SCRIPT", "KILL"], ["SCRIPT", "EXISTS", sha, "b"], ["SCRIPT", "EXISTS"], ["SCRIPT"], ["SCRIPT", "foo"],
                      ["SCRIPT", "FLUSH", "foo"], ["SCRIPT", "FLUSH", "SYNC", "foo"], ["SCRIPT", "DEBUG", "x"],
                      ["SCRIPT", "DEBUG", "NO"], ["SCRIPT", "LOAD", "x.x."], ["SCRIPT", "FLUSH", "ASYNC"],
                      ["SCRIPT", "EXISTS", sha], ["EVALSHA", sha, "0"], ["EVAL", "#!lua", "0"],
                      ["COMMAND", "GETKEYS", "EVAL", "x", "2", "a", "b", "c"], ["COMMAND", "GETKEYS", "EVAL", "x", "0"]):
            with self.subTest(words=words):
                self.assertEqual(outcome(ours, *words), outcome(theirs, *words))

    def test_in_a_transaction_and_in_a_database(self):
        for c in self.both():
            c.call("SELECT", "2")
            c.call("MULTI")
            c.call("EVAL", "redis.call('set','a',1) redis.call('select',5) redis.call('set','b',2) return 7", "0")
            c.call("GET", "a")
            self.assertEqual(c.call("EXEC"), [7, b"1"])
            self.assertEqual((c.call("GET", "b"), c.call("SELECT", "5"), c.call("GET", "b")), (None, b"OK", b"2"))

    def test_a_monitor_sees_the_script_and_then_its_commands(self):
        for how in (resp.start_stillframe, resp.start_redis_server):
            server = self.start(how)
            with server.client() as monitor, server.client() as c:
                monitor.call("MONITOR")
                c.call("EVAL", "return redis.call('set',KEYS[1],'v')", "1", "a")
                lines = [monitor.read().decode() for _ in range(2)]
                self.assertRegex(lines[0], r'^[0-9.]+ \[0 127\.0\.0\.1:[0-9]+\] "EVAL" "return redis')
                self.assertRegex(lines[1], r'^[0-9.]+ \[0 lua\] "set" "a" "v"$')


class Alone(Case):
    def info(self, c, field):
        for line in c.call("INFO", "everything").decode().split("\r\n"):
            if line.startswith(field + ":"):
                return line.split(":")[1]
        self.fail(field)

    def test_server_is_redis_and_the_clock_of_os_is_all(self):
        c = self.start().client()
        self.assertEqual(c.call("EVAL", "return server.call('ping')", "0"), b"PONG")
        self.assertEqual(c.call("EVAL", "local n=0 for k in pairs(os) do n=n+1 end return {n,type(os.clock())}", "0"),
                         [1, b"number"])

    def test_an_error_that_is_a_table_without_a_text(self):
        c = self.start().client()
        self.assertIn("ERR unknown error", outcome(c, "EVAL", "error({a=1})", "0")[1])

    def test_who_waits_for_a_key_is_served_after_the_script(self):
        server = self.start()
        with server.client() as waiter, server.client() as c:
            waiter.send("BLPOP", "l", "0")
            resp.wait_until(lambda: self.info(c, "blocked_clients") == "1")
            self.assertEqual(c.call("EVAL", "redis.call('rpush','l','a','b') return redis.call('lpop','l')", "0"), b"a")
            self.assertEqual(waiter.read(), [b"l", b"b"])

    def test_a_long_script(self):
        server = self.start(resp.start_stillframe, "--busy-reply-threshold", "50")
        with server.client() as runner, server.client() as other:
            for program in ("while true do end", "while true do pcall(function() while true do end end) end",
                            "local f=coroutine.wrap(function() while true do pcall(function() while true do end end) end end) "
                            "while true do pcall(f) end"):
                runner.send("EVAL", program, "0")
                resp.wait_until(lambda: "BUSY Redis is busy" in str(outcome(other, "GET", "x")))
                self.assertEqual(other.call("MULTI"), b"OK")
                self.assertIn("BUSY", str(outcome(other, "GET", "x")))
                self.assertIn("EXECABORT", str(outcome(other, "EXEC")))
                self.assertIn("BUSY", str(outcome(other, "SHUTDOWN")))
                self.assertEqual(other.call("SCRIPT", "KILL"), b"OK")
                with self.assertRaisesRegex(resp.RespError, "Script killed by user with SCRIPT KILL"):
                    runner.read(raising=True)
                self.assertEqual(other.call("PING"), b"PONG")
            self.assertIn("Slow script detected", server.log())

    def test_one_that_has_written_cannot_be_killed_but_the_server_can_end(self):
        server = self.start(resp.start_stillframe, "--busy-reply-threshold", "50")
        with server.client() as runner, server.client() as other:
            runner.send("EVAL", "redis.call('set','a',1) while true do end", "0")
            resp.wait_until(lambda: "BUSY" in str(outcome(other, "GET", "x")))
            self.assertIn("UNKILLABLE", str(outcome(other, "SCRIPT", "KILL")))
            other.send("SHUTDOWN", "NOSAVE")
            self.assertEqual(server.wait(), 0)

    def test_too_much_memory_is_an_error(self):
        server = self.start(resp.start_stillframe, "--script-memory-limit", "16mb")
        with server.client() as c:
            for program in ("local s='x' while true do s=s..s end", "local t={} for i=1,1e9 do t[i]={} end",
                            "return string.rep('x',1e9)"):
                self.assertIn("not enough memory", str(outcome(c, "EVAL", program, "0")))
                self.assertEqual(c.call("EVAL", "return 1", "0"), 1)
            self.assertLess(int(self.info(c, "used_memory_vm_eval")), 16 << 20)
            self.assertGreater(int(self.info(c, "used_memory_vm_eval")), 0)

    def test_scripts_of_eval_are_bounded_and_those_of_script_load_stay(self):
        c = self.start().client()
        sha = c.call("SCRIPT", "LOAD", "return 'kept'")
        for i in range(700):
            self.assertEqual(c.call("EVAL", "return %d" % i, "0"), i)
        self.assertEqual(self.info(c, "number_of_cached_scripts"), "501")
        self.assertEqual(c.call("EVALSHA", sha, "0"), b"kept")
        c.call("SCRIPT", "FLUSH")
        self.assertEqual(self.info(c, "number_of_cached_scripts"), "0")
        self.assertEqual(self.info(c, "used_memory_vm_eval"), "0")

    def test_beyond_maxmemory(self):
        c = self.start().client()
        c.call("SET", "k", "v")
        c.call("CONFIG", "SET", "maxmemory", "1")
        self.assertIn("OOM command not allowed", str(outcome(c, "EVAL", "return redis.call('set','a',1)", "0")))
        self.assertEqual(c.call("EVAL", "redis.call('del','k') return redis.call('set','a',1)", "0"), b"OK")
        self.assertEqual(c.call("EVAL", "return redis.call('get','a')", "0"), b"1")
        self.assertIn("OOM command not allowed", str(outcome(c, "EVAL", "#!lua\nreturn 1", "0")))
        self.assertEqual(c.call("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set','a',2)", "0"), b"OK")
        self.assertEqual(c.call("EVAL", "#!lua flags=no-writes\nreturn redis.call('get','a')", "0"), b"2")

    def test_every_dump_is_of_a_moment_between_scripts(self):
        server = self.start()
        with server.client() as c:
            for i in range(2000):
                c.send("EVAL", "redis.call('incr','a') redis.call('incr','b') return redis.call('incr','c')", "0")
                if i % 100 == 50:
                    c.send("BGSAVE")
            for i in range(2020):
                c.read()
            c.call("BGSAVE", "WAIT")
            self.assertEqual([c.call("GET", k) for k in "abc"], [b"2000"] * 3)


if __name__ == "__main__":
    unittest.main()
