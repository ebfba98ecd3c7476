#!/usr/bin/env python3
"""Which commands touch a watched key: every command that writes, in each of its cases, here and on
redis-server.

A change that is told as an event is not always one that breaks a transaction: a new consumer group
does not. For each line of CASES the keys are made anew; a connection for each key watches it;
another runs the line. Which of the watchers' transactions then run has to be the same on both
servers. A command that writes and has no line here is a failure.
"""
import os
import shlex
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

# Keys of each type, and one that is not there; "t..." are others of the same type.
SETUP = """
SET s 10
SET ts text
SET text hello
RPUSH l a b c a
RPUSH tl x y
SADD m a b c
SADD tm b c d
SADD i 1 2 3
ZADD z 1 a 2 b 3 c
ZADD tz 2 b 4 d
HSET h f 1 g text
SETBIT b 7 1
PFADD p a b c
PFADD tp c d
GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
XADD x 1-1 f v
XADD x 2-1 f v
XADD x 3-1 f v
XGROUP CREATE x grp 0
XREADGROUP GROUP grp con COUNT 2 STREAMS x >
SET e expires EX 1000
SELECT 1
SET s other
SELECT 0
"""
KEYS = "s ts text l tl m tm i z tz h b p tp g x e none new".split()

CASES = """
SET s 10; SET s 10 NX; SET s 10 XX; SET none 1; SET none 1 XX; SET s 5 GET; SET none 1 GET; SET l 1 GET; SET e x KEEPTTL
SET s 1 EX 100; SET s 1 PXAT 1; SETEX s 100 10; SETEX s 0 10; PSETEX s 100000 10; SETNX s 1; SETNX none 1
GETSET s 10; GETSET none 1; GETSET l 1; GETDEL s; GETDEL none; GETDEL l; GETEX s; GETEX s PERSIST; GETEX e PERSIST
GETEX s EX 100; GETEX s PXAT 1; GETEX none EX 100; GETEX l EX 100; MSET s 10 none 1; MSET s 1 s 2; MSETNX s 1 none 1
MSETNX none 1 new 1; APPEND s x; APPEND s ""; APPEND none x; APPEND none ""; APPEND l x; SETRANGE s 0 x; SETRANGE s 0 ""
SETRANGE none 0 ""; SETRANGE none 3 x; SETRANGE l 0 x; INCR s; INCR none; INCR ts; INCR l; INCRBY s 0; DECR s; DECRBY s 3
INCRBYFLOAT s 0; INCRBYFLOAT s 1.5; INCRBYFLOAT ts 1; INCRBYFLOAT none 1
SETBIT b 7 1; SETBIT b 7 0; SETBIT b 100 0; SETBIT none 0 0; SETBIT l 0 0; BITOP AND none b s; BITOP AND b none new
BITOP OR none new new; BITOP NOT b b; BITFIELD b SET u8 0 1; BITFIELD b SET u8 0 0; BITFIELD b GET u8 0
BITFIELD b INCRBY u8 0 0; BITFIELD none INCRBY u8 0 1; BITFIELD none GET u8 0; BITFIELD b OVERFLOW FAIL INCRBY u2 0 5
BITFIELD none OVERFLOW FAIL INCRBY u2 0 5; BITFIELD_RO b GET u8 0
PFADD p a; PFADD p zz; PFADD none a; PFADD none; PFADD p; PFADD s a; PFCOUNT p; PFCOUNT p tp; PFCOUNT none
PFMERGE p tp; PFMERGE p; PFMERGE none p; PFMERGE none; PFMERGE p p; PFDEBUG GETREG p; PFDEBUG TODENSE p; PFDEBUG ENCODING p
LPUSH l x; LPUSH none x; LPUSH s x; RPUSH l x; LPUSHX l x; LPUSHX none x; RPUSHX l x; RPUSHX none x; LPOP l; LPOP none
LPOP l 0; LPOP l 100; RPOP l; RPOP l 2; LSET l 0 a; LSET l 0 x; LSET l 9 x; LSET none 0 x; LINSERT l BEFORE a x
LINSERT l AFTER zz x; LINSERT none AFTER a x; LREM l 0 a; LREM l 0 zz; LREM none 0 a; LTRIM l 0 -1; LTRIM l 1 1
LTRIM l 5 9; LTRIM none 0 1; LMOVE l tl LEFT RIGHT; LMOVE l l LEFT RIGHT; LMOVE none l LEFT LEFT; LMOVE l none LEFT LEFT
LMOVE l s LEFT LEFT; RPOPLPUSH l tl; RPOPLPUSH l l; RPOPLPUSH none l; BRPOPLPUSH l tl 1; BRPOPLPUSH l none 1
BLMOVE l tl LEFT RIGHT 1; BLPOP l 1; BLPOP none l 1; BRPOP l 1; BLPOP s 1; LMPOP 2 none l LEFT; LMPOP 1 none LEFT
LMPOP 1 l LEFT COUNT 9; BLMPOP 1 2 none l LEFT; SORT l ALPHA; SORT l ALPHA STORE none; SORT none STORE l; SORT new STORE none
SORT l STORE none; SORT i STORE i; SORT s STORE l
SADD m a; SADD m x; SADD m a x; SADD none a; SADD s a; SREM m a; SREM m zz; SREM m a b c; SREM none a; SMOVE m tm a
SMOVE m tm b; SMOVE m tm zz; SMOVE m m a; SMOVE m none a; SMOVE none m a; SMOVE m s a; SPOP m; SPOP m 0; SPOP m 9; SPOP none
SPOP none 1; SINTERSTORE none m tm; SINTERSTORE m m none; SINTERSTORE none m new; SINTERSTORE s m tm; SUNIONSTORE m m tm
SUNIONSTORE none new; SUNIONSTORE s new; SDIFFSTORE m m tm; SDIFFSTORE m m m; SDIFFSTORE none m s
ZADD z 1 a; ZADD z 5 a; ZADD z NX 5 a; ZADD z XX 5 zz; ZADD z GT 0 a; ZADD z INCR 0 a; ZADD z INCR 1 a; ZADD z 5 zz
ZADD none 1 a; ZADD none XX 1 a; ZADD s 1 a; ZADD z XX INCR 1 zz; ZADD z CH 1 a; ZADD z x a; ZINCRBY z 0 a; ZINCRBY z 1 a
ZINCRBY none 1 a; ZREM z a; ZREM z zz; ZREM none a; ZREMRANGEBYRANK z 0 0; ZREMRANGEBYRANK z 9 9; ZREMRANGEBYRANK none 0 1
ZREMRANGEBYSCORE z 1 2; ZREMRANGEBYSCORE z 8 9; ZREMRANGEBYLEX z - +; ZREMRANGEBYLEX z [x [y; ZPOPMIN z; ZPOPMIN none
ZPOPMIN z 0; ZPOPMAX z 9; BZPOPMIN z 1; BZPOPMAX none z 1; ZMPOP 2 none z MIN; ZMPOP 1 none MAX; BZMPOP 1 1 z MIN COUNT 9
ZUNIONSTORE none 2 z tz; ZUNIONSTORE z 1 new; ZUNIONSTORE none 1 new; ZUNIONSTORE z 1 z; ZINTERSTORE z 2 z tz
ZINTERSTORE none 2 z new; ZDIFFSTORE z 2 z z; ZDIFFSTORE none 2 z tz; ZDIFFSTORE s 1 z; ZRANGESTORE none z 0 -1
ZRANGESTORE z none 0 -1; ZRANGESTORE z z 5 9; ZRANGESTORE new none 0 1; ZRANGESTORE s z 0 -1
GEOADD g 13.361389 38.115556 Palermo; GEOADD g 1 1 Palermo; GEOADD g 1 1 new; GEOADD none 1 1 a; GEOADD g NX 1 1 Palermo
GEORADIUS g 15 37 200 km STORE none; GEORADIUS g 15 37 200 km; GEORADIUS g 0 0 1 m STORE z; GEORADIUS g 0 0 1 m STORE none
GEORADIUSBYMEMBER g Palermo 200 km STOREDIST none; GEORADIUSBYMEMBER g Palermo 1 m
GEOSEARCHSTORE none g FROMLONLAT 15 37 BYRADIUS 200 km; GEOSEARCHSTORE z g FROMLONLAT 0 0 BYRADIUS 1 m
GEOSEARCHSTORE none new FROMLONLAT 0 0 BYRADIUS 1 m
HSET h f 1; HSET h f 2; HSET h new 1; HSET none f 1; HSET s f 1; HMSET h f 1; HMSET none f 1; HSETNX h f 2; HSETNX h new 1
HSETNX none f 1; HDEL h f; HDEL h zz; HDEL h f g; HDEL none f; HINCRBY h f 0; HINCRBY h f 1; HINCRBY h g 1
HINCRBY none f 1; HINCRBYFLOAT h f 0; HINCRBYFLOAT h f 1.5; HINCRBYFLOAT h g 1
XADD x * f v; XADD x 1-1 f v; XADD x NOMKSTREAM * f v; XADD none NOMKSTREAM * f v; XADD none * f v; XADD x MAXLEN 1 * f v
XADD s * f v; XDEL x 1-1; XDEL x 9-9; XDEL none 1-1; XDEL x 1-1 2-1 3-1; XTRIM x MAXLEN 3; XTRIM x MAXLEN 1
XTRIM x MINID 9; XTRIM none MAXLEN 1; XSETID x 3-1; XSETID x 9-9; XSETID x 9-9 ENTRIESADDED 20 MAXDELETEDID 1-1; XSETID none 1-1
XGROUP CREATE x new 0; XGROUP CREATE x grp 0; XGROUP CREATE none new 0; XGROUP CREATE none new 0 MKSTREAM
XGROUP CREATE x new $ ENTRIESREAD 2; XGROUP CREATE s new 0; XGROUP SETID x grp 0; XGROUP SETID x zz 0; XGROUP SETID x grp $
XGROUP CREATECONSUMER x grp new; XGROUP CREATECONSUMER x grp con; XGROUP DELCONSUMER x grp con; XGROUP DELCONSUMER x grp zz
XGROUP DESTROY x grp; XGROUP DESTROY x zz; XREADGROUP GROUP grp con STREAMS x >; XREADGROUP GROUP grp new STREAMS x >
XREADGROUP GROUP grp con STREAMS x 0; XREADGROUP GROUP grp new STREAMS x 0; XREADGROUP GROUP zz con STREAMS x >
XREADGROUP GROUP grp con NOACK STREAMS x >; XACK x grp 1-1; XACK x grp 9-9; XACK x zz 1-1; XACK none grp 1-1
XCLAIM x grp new 0 1-1; XCLAIM x grp con 0 1-1; XCLAIM x grp new 999999 1-1; XCLAIM x grp new 0 9-9; XCLAIM x grp new 0 3-1 FORCE
XCLAIM x grp new 0 1-1 JUSTID; XAUTOCLAIM x grp new 0 0; XAUTOCLAIM x grp new 999999 0; XAUTOCLAIM x grp con 0 0 JUSTID
DEL s; DEL none; DEL s l none; UNLINK s; UNLINK none; UNLINK x; EXPIRE s 100; EXPIRE none 100; EXPIRE s 0; EXPIRE s -1
EXPIRE s 100 XX; EXPIRE e 2000 LT; EXPIRE e 2000 GT; EXPIREAT s 1; EXPIREAT s 9999999999; PEXPIRE s 100000; PEXPIRE s -1
PEXPIREAT s 1; PEXPIREAT s 9999999999000; PERSIST e; PERSIST s; PERSIST none
RENAME s none; RENAME s l; RENAME s s; RENAME none s; RENAMENX s none; RENAMENX s l; RENAMENX s s; COPY s none; COPY s l
COPY s l REPLACE; COPY s s; COPY none s REPLACE; COPY s e DB 1; COPY s s DB 1; MOVE s 1; MOVE l 1; MOVE none 1
SWAPDB 0 1; SWAPDB 0 0; SWAPDB 2 3; FLUSHDB; FLUSHALL; FLUSHDB ASYNC; FLUSHALL ASYNC
RESTORE none 0 (payload); RESTORE s 0 (payload); RESTORE s 0 (payload) REPLACE; RESTORE s 1 (payload) ABSTTL REPLACE
RESTORE none 1 (payload) ABSTTL; RESTORE s 0 nonsense REPLACE
SET s 5 IFEQ 10; SET s 5 IFEQ 6; SET none 1 IFNE 5; DELIFEQ s 10; DELIFEQ s 6; DELIFEQ l 5; DELEX s; DELEX l; DELEX none
DELEX s IFNE 6; DELEX s IFEQ 6; HEXPIRE h 100 FIELDS 1 f; HEXPIRE h 100 FIELDS 1 zz; HEXPIRE h 100 XX FIELDS 1 f
HEXPIRE h 0 FIELDS 1 f; HPEXPIRE h 100000 FIELDS 1 g; HEXPIREAT h 9999999999 FIELDS 1 f; HPEXPIREAT h 9999999999000 FIELDS 1 f
HPERSIST h FIELDS 1 f; HPERSIST none FIELDS 1 f; HGETEX h FIELDS 1 f; HGETEX h EX 100 FIELDS 1 f; HGETEX h PERSIST FIELDS 1 f
HSETEX h EX 100 FIELDS 1 f 1; HSETEX none FIELDS 1 f 1; HSETEX h FNX FIELDS 1 f 1; HGETDEL h FIELDS 1 f
HGETDEL h FIELDS 1 zz; HGETDEL h FIELDS 2 f g
FUNCTION LOAD REPLACE (library); FUNCTION DELETE none; FUNCTION FLUSH; FUNCTION RESTORE nonsense
MSETEX 2 s 10 none 1 EX 100; MSETEX 2 s 1 none 1 NX; MSETEX 1 e x KEEPTTL
MIGRATE 127.0.0.1 1 s 0 1000; MIGRATE 127.0.0.1 1 none 0 1000
TOUCH s; OBJECT ENCODING s; DUMP s; GET s; DEBUG RELOAD; DEBUG JMAP; CLIENT NO-TOUCH ON
"""

LIBRARY = "#!lua name=watched\nredis.register_function('f', function() return 1 end)"

# What later versions than the peer's mended: what is touched here, and there.
MENDED = {
    "LTRIM l 0 -1": ([], ["l"]),
    # commands and options that it does not have
    "SET s 5 IFEQ 10": (["s"], []), "SET none 1 IFNE 5": (["none"], []), "DELIFEQ s 10": (["s"], []), "DELEX s": (["s"], []),
    "DELEX l": (["l"], []), "DELEX s IFNE 6": (["s"], []), "MSETEX 2 s 10 none 1 EX 100": (["s", "none"], []),
    "MSETEX 1 e x KEEPTTL": (["e"], []),
    "HEXPIRE h 100 FIELDS 1 f": (["h"], []), "HEXPIRE h 0 FIELDS 1 f": (["h"], []), "HPEXPIRE h 100000 FIELDS 1 g": (["h"], []),
    "HEXPIREAT h 9999999999 FIELDS 1 f": (["h"], []), "HPEXPIREAT h 9999999999000 FIELDS 1 f": (["h"], []),
    "HGETEX h EX 100 FIELDS 1 f": (["h"], []), "HSETEX h EX 100 FIELDS 1 f 1": (["h"], []), "HSETEX none FIELDS 1 f 1": (["none"], []),
    "HGETDEL h FIELDS 1 f": (["h"], []), "HGETDEL h FIELDS 2 f g": (["h"], []),
}


def cases():
    return [line.strip() for part in CASES.strip().split("\n") for line in part.split(";")]


class Watch(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.servers = []
        for name, start in (("a", resp.start_stillframe), ("b", resp.start_redis_server)):
            os.mkdir(os.path.join(self.dir, name))
            server = start(os.path.join(self.dir, name), "--save", "", "--enable-debug-command", "yes")
            self.addCleanup(server.kill)
            server.talk = server.client()
            server.watchers = {key: server.client() for key in KEYS}
            self.servers.append(server)
        self.payload = self.servers[1].client()
        self.payload.call("SET", "p", "payload")
        self.payload = self.payload.call("DUMP", "p")

    def touched(self, server, line):
        """The reply to the line, and which of the keys it touched."""
        words = [{"(payload)": self.payload, "(library)": LIBRARY}.get(w, w) for w in shlex.split(line)]
        server.talk.pipeline([["FLUSHALL"]] + [w.split() for w in SETUP.strip().split("\n")])
        for key, watcher in server.watchers.items():
            watcher.send("WATCH", key)
            watcher.read()
        (reply,) = server.talk.pipeline([words])
        for watcher in server.watchers.values():
            watcher.send_raw(resp.pack("MULTI") + resp.pack("PING") + resp.pack("EXEC"))
        return reply, [key for key, watcher in server.watchers.items()
                       if [watcher.read() for _ in range(3)][2] is None]

    def test_every_command_that_writes_touches_what_it_touches_in_redis(self):
        for line in cases():
            with self.subTest(line):
                (reply, ours), (_, theirs) = (self.touched(server, line) for server in self.servers)
                if line in MENDED:
                    self.assertEqual((ours, theirs), MENDED[line], reply)
                else:
                    self.assertEqual(ours, theirs, reply)

    def test_there_is_a_case_for_every_command_that_writes(self):
        words = [line.lower().split() for line in cases()]
        named = {w[0] for w in words} | {"%s|%s" % (w[0], w[1]) for w in words if len(w) > 1}
        writes = set()

        def add(row):
            if b"write" in row[2]:
                writes.add(row[0].decode())
            for sub in row[9]:
                add(sub)
        for row in self.servers[0].talk.call("COMMAND"):
            add(row)
        self.assertGreater(len(writes), 100)
        self.assertEqual(writes - named, set())


if __name__ == "__main__":
    unittest.main()
