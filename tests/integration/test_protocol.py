#!/usr/bin/env python3
"""The protocol as a client sees it: byte for byte what redis-server answers, however the bytes are
cut, and no client that sends too much or reads too little harms the server."""
import os
import random
import shutil
import socket
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

QUICK = bool(os.environ.get("QUICK"))

# Sent as they are, each on a connection of its own; replies and the end of the connection must be
# equal.
SAME = [
    b"*a\r\n", b"*\r\n", b"*01\r\n", b"* 1\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n", b"*1\r\nPING\r\n", b"*1\r\n\r\n",
    b"*1\r\n*1\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$01\r\n", b"*1\r\n$600000000\r\n", b"*2147483648\r\n",
    b"*9223372036854775808\r\n", b"*1\n$4\r\nPING\r\n\r\n", b"*-5\r\nPING\r\n", b"*0\r\nPING\r\n", b"\r\nPING\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", b"*1\rx$4\r\nPING\r\n", b"*1\r\n$3\r\na\r\n\r\n",
    b"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\nPING\r\n", b"PING\n", b"ping\r\r\n", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"x" * 70000, b"*" + b"1" * 70000, b"*1\r\n$" + b"1" * 70000, b"ping\r\n" + b"y" * 66000,
    b'"unbalanced\r\n', b'"a"b\r\n', b"'a\r\n", b'echo "a\\x41\\n\\q\\xzz"\r\n', b"echo 'a\\'b\\n'\r\n",
    b'echo foo"bar"\r\n', b"echo '' \"\"\r\n", b"echo ''\r\n", b"a\xff\xfe\r\n", b"FOO a b c\r\n",
    b"foo " + b"x" * 200 + b" y\r\n", b"z" * 300 + b"\r\n", b"foo " + b" ".join([b"1234567890"] * 30) + b"\r\n",
    b"get\r\n", b"get a b\r\n", b"ping a b\r\n", b"ping hello\r\n", b"echo\r\n", b"time x\r\n", b"select x\r\n",
    b"select 99\r\n", b"select -1\r\n", b"select 3\r\nselect 0\r\n",
    b"multi\r\nmulti\r\nexec\r\n", b"multi\r\nfoo\r\nset a\r\nexec\r\n", b"exec\r\n", b"discard\r\n",
    b"multi\r\nping\r\ndiscard\r\n", b"multi\r\nping\r\nget\r\nping\r\nexec\r\nping\r\n",
    b"multi\r\nselect 99\r\nping\r\nexec\r\n", b"multi\r\nquit\r\nping\r\n", b"quit\r\nping\r\n", b"quit a b\r\n",
    b"multi\r\nclient foo\r\nexec\r\n", b"multi\r\nsave\r\nexec\r\n", b"multi\r\nshutdown\r\nexec\r\n",
    b"multi foo\r\n", b"exec a\r\n", b"multi\r\nexec a\r\nexec\r\n", b"multi\r\nexec\r\n",
    b"POST / HTTP/1.1\r\nping\r\n", b"ping\r\nhost: x\r\nping\r\n",
    b"client\r\n", b"client foo\r\n", b"client setname\r\n", b"client setname a b\r\n", b'client setname "a b"\r\n',
    b"client getname\r\nclient setname x\r\nclient getname\r\nclient setname \"\"\r\nclient getname\r\n",
    b"client id x\r\n", b"client list foo\r\n", b"client list type foo\r\n", b"client list id x\r\n",
    b"config\r\n", b"config foo\r\n", b"config get\r\n", b"config set\r\n", b"config set timeout\r\n",
    b"config set timeout 1 foo\r\n", b"config set foo bar\r\n", b"config set timeout abc\r\n",
    b"config set timeout -1\r\n", b"config set timeout 1 timeout 2\r\n", b"config set databases 3\r\n",
    b"config set dir /tmp\r\n", b"config set save 60\r\n", b'config set save "a b"\r\n',
    b"config set proto-max-bulk-len 10\r\n", b"config set stop-writes-on-bgsave-error x\r\n",
    b'config set client-output-buffer-limit "normal 1 2"\r\n', b'config set client-output-buffer-limit "x 1 2 3"\r\n',
    b'config set client-output-buffer-limit "normal 1 2 x"\r\n', b"config get timeout\r\n", b"config get nothing*\r\n",
    b"config get hash-max-zip*entries\r\n", b"config rewrite\r\n", b"config resetstat\r\n",
    b"hello 1\r\n", b"hello 4\r\n", b"hello x\r\n", b"hello 2 foo\r\n", b"hello 2 auth a b\r\n",
    b'hello 2 setname "a b"\r\n', b"debug foo\r\n", b"debug\r\n", b"debug sleep\r\n", b"debug set-active-expire\r\n",
    b"debug set-active-expire 1\r\n", b"debug sleep 0\r\n", b"debug error 'MYERR text'\r\n", b"shutdown foo\r\n",
    b"shutdown abort\r\n", b"shutdown save nosave\r\n", b"shutdown abort save\r\n", b"info nothing\r\n",
    b"module list\r\n", b"module load x\r\n", b"module loadex x\r\n", b"module unload x\r\n", b"module nosuch\r\n", b"module\r\n",
    b"readonly\r\n", b"readwrite\r\n", b"asking\r\n", b"readonly x\r\n", b"cluster\r\n", b"cluster nosuch\r\n",
    b"cluster info\r\n", b"cluster help\r\n", b"cluster slots\r\n", b"cluster keyslot\r\n", b"cluster keyslot a\r\n",
    b"cluster info x\r\n", b"cluster reset hard\r\n", b"multi\r\nmodule load x\r\ncluster info\r\nexec\r\n",
    b"multi\r\ncluster info\r\nmodule list\r\nselect 2147483648\r\nexec\r\n", b"select 2147483648\r\n", b"select -2147483649\r\n",
    b"select -2147483648\r\n", b"select 9223372036854775808\r\n", b"select 16\r\n", b"select x\r\n", b"select 0\r\n",
    b"move a 2147483648\r\n", b"copy a b db 2147483648\r\n", b"swapdb 0 2147483648\r\n",
    b"command foo\r\n", b"command count x\r\n", b"command list foo\r\n", b"command list filterby foo hash\r\n",
    b"command list filterby module none\r\n", b"command getkeys mset a b c d\r\n",
    b"command getkeys foo x\r\n", b"command getkeys ping x\r\n", b"command getkeys set a\r\n",
    b"command getkeysandflags mset a b c d\r\n", b"command getkeysandflags copy a b\r\n",
    b"command getkeysandflags rename a b\r\n", b"command info foo\r\n", b"command info foo bar get\r\n",
    b"command info client|id\r\n", b"command docs foo\r\n",
]

PROTOCOL_KINDS = ["string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "true", "false",
                  "bignum"]


def talk(server, data):
    """Everything that comes back for data, "<END>" behind it if the server closed the connection.
    When the answers to some later requests of another connection are there, those to data are."""
    with socket.create_connection(("127.0.0.1", server.port)) as s, server.client() as other:
        s.sendall(data)
        for _ in range(20):
            other.call("PING")
        return receive(s, 0)


def talk_slowly(server, data):
    """The same for a machine that is too busy for that."""
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(data)
        return receive(s, 1.5)


def receive(s, quiet_seconds):
    out = b""
    s.settimeout(quiet_seconds)
    try:
        while True:
            piece = s.recv(1 << 16)
            if not piece:
                return out + b"<END>"
            out += piece
    except (socket.timeout, BlockingIOError):
        return out
    except ConnectionResetError:
        return out + b"<END>"


ADDED = {b"client|setinfo", b"client|no-touch", b"waitaof", b"cluster|myshardid",  # by Redis 7.2
         b"hexpire", b"hpexpire", b"hexpireat", b"hpexpireat", b"httl", b"hpttl", b"hexpiretime", b"hpexpiretime",
         b"hpersist",  # by Redis 7.4
         b"hgetex", b"hsetex", b"hgetdel",  # by Redis 8.0
         b"digest", b"delex", b"msetex",  # by Redis 8.4
         b"delifeq"}  # by Valkey 9.0
OTHER_ARITY = {b"zrank": -3, b"zrevrank": -3, b"command|getkeys": -3, b"command|getkeysandflags": -3}  # in Redis 7.2
ALLOWED_IN_SCRIPTS = {b"blpop", b"brpop", b"blmove", b"brpoplpush", b"bzpopmin", b"bzpopmax", b"wait"}  # since Redis 7.2
OTHER_TIPS = {  # in Redis 7.2
    b"scan": "nondeterministic_output request_policy:special response_policy:special",
    b"randomkey": "request_policy:all_shards response_policy:special nondeterministic_output",
    b"msetnx": "", b"config|resetstat": "request_policy:all_nodes response_policy:all_succeeded",
    b"config|rewrite": "request_policy:all_nodes response_policy:all_succeeded",
    b"client|setname": "request_policy:all_nodes response_policy:all_succeeded",
    b"latency|reset": "request_policy:all_nodes response_policy:agg_sum",
}


# Commands whose trees of arguments differ, and why.
OTHER_ARGUMENTS = {
    b"bgsave": "CANCEL, WAIT", b"client|kill": "the filters in one block", b"command|getkeys": "documented here",
    b"command|getkeysandflags": "documented here", b"debug": "documented here", b"config|get": "no block around one argument",
    b"migrate": "a key is a key, be it empty or not",
    b"set": "IFEQ and its kin, as in 8.4",
    b"georadius": "one of two stores, as in 7.2", b"georadiusbymember": "one of two stores, as in 7.2",
    b"psubscribe": "no block around one argument", b"module|loadex": "ARGS is said once",
    b"zrank": "WITHSCORE", b"zrevrank": "WITHSCORE", b"zrange": "ranks are integers",
    b"zunion": "a block for the weights", b"zinter": "a block for the weights", b"zunionstore": "a block for the weights",
    b"zinterstore": "a block for the weights", b"zincrby": "the increment is a double",
    b"bitop": "the operation is one of four words, as in 7.2", b"pfmerge": "a source may be missing, as in 7.2",
    b"geohash": "a member may be missing, as in 7.2", b"geopos": "a member may be missing, as in 7.2",
    b"bitfield": "the repeated choice is spelled out", b"geosearch": "a block behind BYBOX", b"geosearchstore": "a block behind BYBOX",
}


def shape(arguments):
    """A tree of COMMAND DOCS without names and words: what kind of argument stands where."""
    out = []
    for a in arguments or []:
        a = dict(zip(a[::2], a[1::2]))
        out.append((a[b"type"], a.get(b"token", b""), sorted(a.get(b"flags", [])), a.get(b"key_spec_index"),
                    shape(a.get(b"arguments"))))
    return out


KEYS_OF = """set a b|set a b get|set a|set a b nx GET|SET a b ex get px|bitfield k get u8 0|bitfield k set u8 0 1|bitfield k
bitfield k get u8|bitfield k foo|bitfield k overflow|bitfield k overflow wrap get u8 0|bitfield_ro k get u8 0
sort a|sort a by x_* get y store b|sort a store b store c|sort a store|sort a limit store 1 store b|sort_ro a by store b
georadius k 1 2 3 m store a storedist b|georadius k 1 2 3 m store|georadius k 1 2 3 m|georadius_ro k 1 2 3 m
georadius a 1 2 3 m store storedist x|georadius k 1 2 3 m storedist b store|georadiusbymember k m 1 m store x
georadiusbymember k m 1 store x|geosearchstore d s frommember m byradius 1 m
xread streams a 1|xread streams a b 1|xread streams a|xread count 1 streams a b 0 0|xread streams streams 1
xread count 1 block 2|xread count 1 streams|xreadgroup group g streams streams a >|xreadgroup streams a b c streams a >
xreadgroup group g c count 1 streams a b c > > >|zunion 2 a b|zunion 3 a b|zunion 0 a|zunion -1 a|zunion x a
zunion 99999999999999999999 a|zunionstore d 2 a b|zunionstore d 3 a b|zinter 2 a b weights 1 2|zdiff 1 a withscores
zdiffstore d 1 a|zinterstore d 2 a b|zintercard 1 a|zmpop 1 a min|bzmpop 0 2 a b min|zrangestore a b 0 1
lmpop 1 a left|blmpop 0 2 a b left|blpop a b 0|brpop a 0|lmove a b left left|blmove a b left left 0|rpoplpush a b
brpoplpush a b 0|sintercard 2 a b limit 1|sinterstore d a b|sinterstore d a|sunionstore d a|sdiffstore d a b|smove a b c
sinter a b|bitop and d a b|pfmerge d a b|pfcount a b|spublish a b|ssubscribe a|publish a b|subscribe a
echo a b c|ping x|foo x|memory usage a|memory usage|object encoding|object encoding a|object foo a|object help
config get a|config foo|mset a b c|mset a b c d|msetnx a 1|lcs a b|lcs a|rename a b|rename a|copy a b|watch a b|del a
exists a b|command getkeys get a|client kill 1|client id|eval x|migrate h 1 k 0 5 copy|hset a b c|keys *|scan 0
randomkey x|move a 1|restore a 0 b|debug object a|xinfo stream a|xgroup create a g 0|xinfo help|slowlog get"""
KEYS_OF = [line for block in KEYS_OF.split("\n") for line in block.split("|")]


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="stillframe-protocol-")
        for name in ("ours", "theirs"):
            os.mkdir(os.path.join(cls.dir, name))
        args = ["--save", "", "--enable-debug-command", "yes"]
        cls.ours = resp.start_stillframe(os.path.join(cls.dir, "ours"), *args)
        cls.theirs = resp.start_redis_server(os.path.join(cls.dir, "theirs"), *args)

    @classmethod
    def tearDownClass(cls):
        cls.ours.stop()
        cls.theirs.stop()
        shutil.rmtree(cls.dir, ignore_errors=True)

    def both(self, data):
        ours, theirs = talk(self.ours, data), talk(self.theirs, data)
        return (ours, theirs) if ours == theirs else (talk_slowly(self.ours, data), talk_slowly(self.theirs, data))

    def test_replies_are_those_of_redis(self):
        for data in SAME:
            with self.subTest(data=data[:80]):
                ours, theirs = self.both(data)
                self.assertEqual(ours, theirs)
                self.assertTrue(ours)

    def test_bytes_that_need_more_bytes_get_no_reply(self):
        for data in (b"*2147483647\r\n", b"*1\r\n$4\r\nPI", b"*1\r\n$4\r\nPING\r", b"PIN", b"*3\r\n$3\r\nGET\r\n"):
            with socket.create_connection(("127.0.0.1", self.ours.port)) as s:
                s.sendall(data)
                s.settimeout(0.1)
                self.assertRaises(socket.timeout, s.recv, 100)

    def after_hello(self, data):
        """What follows the reply to HELLO, which names the server."""
        end = b"modules\r\n*0\r\n"
        for function in (talk, talk_slowly):
            ours, theirs = (function(s, data).partition(end)[2] for s in (self.ours, self.theirs))
            if ours == theirs:
                break
        self.assertTrue(ours)
        return ours, theirs

    def test_forms_of_both_protocol_versions(self):
        for version in (2, 3):
            hello = b"hello %d\r\n" % version
            for kind in PROTOCOL_KINDS:
                with self.subTest(version=version, kind=kind):
                    data = hello + b"debug protocol %b\r\n" % kind.encode()
                    ours, theirs = self.after_hello(data)
                    self.assertEqual(ours, theirs)
        for data in (b"get none\r\n", b"config get timeout\r\n", b"command info get\r\n", b"client getname\r\n"):
            ours, theirs = self.after_hello(b"hello 3\r\n" + data)
            if data.startswith(b"command info") and theirs.endswith(b"~0\r\n"):
                theirs = theirs[:-4] + b"*0\r\n"  # subcommands are an array, whether or not there are any
            self.assertEqual(ours, theirs)

    def test_hello_describes_the_server(self):
        with self.ours.client() as c:
            fields = c.call("HELLO", 3, "AUTH", "default", "", "SETNAME", "me")
            self.assertEqual(fields[b"proto"], 3)
            self.assertEqual(fields[b"server"], b"redis")
            self.assertEqual(fields[b"mode"], b"standalone")
            self.assertEqual(fields[b"modules"], [])
            self.assertEqual(c.call("CLIENT", "GETNAME"), b"me")
            self.assertEqual(c.call("CLIENT", "ID"), fields[b"id"])
            self.assertIn(b"resp=3", c.call("CLIENT", "INFO"))
            self.assertEqual(c.call("HELLO", 2)[4:6], [b"proto", 2])
            self.assertIsNone(c.call("GET", "none"))

    def compare_arguments(self, name, ours, theirs):
        a, b = shape(ours.get(b"arguments")), shape(theirs.get(b"arguments"))
        with self.subTest(arguments=name):
            if name in OTHER_ARGUMENTS:
                self.assertNotEqual(a, b)
            else:
                self.assertEqual(a, b)
        mine, other = ({} if s is None else dict(zip(s[::2], s[1::2])) for s in
                       (ours.get(b"subcommands"), theirs.get(b"subcommands")))
        for sub in set(mine) & set(other):
            self.compare_arguments(sub, *(dict(zip(d[::2], d[1::2])) for d in (mine[sub], other[sub])))

    def test_the_command_table_is_that_of_redis(self):
        with self.ours.client() as c, self.theirs.client() as t:
            names = [row[0] for row in c.call("COMMAND")]
            self.assertEqual(len(names), c.call("COMMAND", "COUNT"))
            names += [n for n in c.call("COMMAND", "LIST") if b"|" in n]
            compared = 0
            for name in names:
                ours, theirs = (x.call("COMMAND", "INFO", name)[0] for x in (c, t))
                self.assertEqual(len(ours), 10)
                if theirs is None:
                    self.assertIn(name, ADDED)
                    continue
                for spec in theirs[8]:
                    if spec[0] == b"notes":
                        del spec[:2]
                theirs[1] = OTHER_ARITY.get(name, theirs[1])
                if name in ALLOWED_IN_SCRIPTS:
                    theirs[2].remove(b"noscript")
                if name in OTHER_TIPS:
                    theirs[7] = OTHER_TIPS[name].encode().split()
                with self.subTest(command=name):
                    self.assertEqual(ours[:9], theirs[:9])
                    subs = {row[0] for row in theirs[9]} | ADDED
                    self.assertTrue({row[0] for row in ours[9]} <= subs)
                compared += 1
            self.assertGreater(compared, 60)
            docs = c.call("COMMAND", "DOCS")
            self.assertEqual(sorted(docs[::2]), sorted(n for n in names if b"|" not in n))
            for name, doc in zip(docs[::2], docs[1::2]):
                if name in ADDED:
                    continue
                doc, theirs = (dict(zip(d[::2], d[1::2])) for d in (doc, t.call("COMMAND", "DOCS", name)[1]))
                self.assertEqual((doc[b"since"], doc[b"group"]), (theirs[b"since"], theirs[b"group"]), name)
                self.assertTrue(doc[b"summary"] and doc[b"complexity"], name)
                self.compare_arguments(name, doc, theirs)

    def test_keys_of_a_call_are_those_of_redis(self):
        """Of the commands that are built; the others' lines wait for them."""
        compared = 0
        with self.ours.client() as c, self.theirs.client() as t:
            built = {n.split(b"|")[0].decode() for n in c.call("COMMAND", "LIST")}
            for line in KEYS_OF:
                words = line.split(" ")
                if words[0].lower() not in built:
                    continue
                for sub in ("GETKEYS", "GETKEYSANDFLAGS"):
                    with self.subTest(line=line, sub=sub):
                        ours, theirs = (x.pipeline([("COMMAND", sub, *words)])[0] for x in (c, t))
                        self.assertEqual(ours, theirs)
                compared += 1
        self.assertGreater(compared, 40)

    def test_keys_of_a_name_alone_are_asked_for_as_in_redis_7_2(self):
        with self.ours.client() as c:
            for sub in ("GETKEYS", "GETKEYSANDFLAGS"):
                for name, error in (("ping", "ERR The command has no key arguments"), ("nosuch", "ERR Invalid command specified"),
                                    ("get", "ERR Invalid number of arguments specified for command"), ("del", "ERR Invalid number of arguments specified for command"),
                                    ("config", "ERR The command has no key arguments")):
                    self.assertEqual(c.pipeline([("COMMAND", sub, name)]), [resp.RespError(error)])
                ours = c.call("COMMAND", sub, "pfmerge", "d")  # 7.0 wants a source
                self.assertEqual(ours, [b"d"] if sub == "GETKEYS" else [[b"d", [b"RW", b"access", b"insert"]]])
                self.assertEqual(str(c.pipeline([("COMMAND", sub)])[0]),
                                 "ERR wrong number of arguments for 'command|%s' command" % sub.lower())

    def test_help_lists_every_subcommand(self):
        with self.ours.client() as c:
            for command in ("CLIENT", "CONFIG", "COMMAND", "OBJECT", "MODULE"):
                lines = c.call(command, "HELP")
                listed = {n.split(b" ")[0].lower() for n in lines[1::2]}
                subs = {row[0].split(b"|")[1] for row in c.call("COMMAND", "INFO", command)[0][9]}
                self.assertEqual(listed, subs)
            self.assertIn(b"HELP", c.call("DEBUG", "HELP"))

    # ---- pieces and sizes ----

    def random_pipeline(self, rng, count):
        sent, expected = [], []
        for i in range(count):
            kind = rng.randrange(5)
            key = b"key%d" % rng.randrange(20)
            if kind == 0:
                value = bytes(rng.randrange(256) for _ in range(8)) * rng.choice([0, 1, 5, 100, 1500, 6000, 20000])
                sent.append(resp.pack("SET", key, value))
                expected.append(b"+OK\r\n")
                self.values[key] = value
            elif kind == 1:
                value = self.values.get(key)
                sent.append(resp.pack("GET", key))
                expected.append(b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value))
            elif kind == 2:
                sent.append(b"ECHO \"a b\\x00%d\"\r\n" % i)
                expected.append(b"$%d\r\na b\0%d\r\n" % (4 + len(str(i)), i))
            elif kind == 3:
                args = [b"x" * rng.randrange(40) for _ in range(rng.randrange(1, 400))]
                sent.append(resp.pack("DEL", *[b"none" + a for a in args]))
                expected.append(b":0\r\n")
            else:
                sent.append(rng.choice([b"PING\r\n", b"*1\r\n$4\r\nping\r\n", b"\r\nPING\r\n", b"*0\r\nPING\n"]))
                expected.append(b"+PONG\r\n")
        return b"".join(sent), b"".join(expected)

    def test_a_pipeline_in_random_pieces_is_answered_in_order(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        for round_ in range(2 if QUICK else 6):
            self.values = {}
            with self.ours.client() as c:
                c.call("FLUSHALL")
                sent, expected = self.random_pipeline(rng, 1500)
                got, at = bytearray(), 0
                c.sock.setblocking(False)
                while at < len(sent) or len(got) < len(expected):
                    n = rng.choice([1, 7, 100, 1460, 5000, 40000, 200000])
                    try:
                        at += c.sock.send(sent[at:at + n])
                    except BlockingIOError:
                        pass
                    try:
                        piece = c.sock.recv(1 << 20)
                        self.assertTrue(piece, "closed; seed %d, round %d" % (seed, round_))
                        got += piece
                    except BlockingIOError:
                        time.sleep(0.0002)
                self.assertTrue(got == expected, "seed %d, round %d" % (seed, round_))

    def test_a_large_value_between_small_commands(self):
        size = 8 << 20 if QUICK else 100 << 20
        value = os.urandom(1 << 20) * (size >> 20)
        with self.ours.client() as c:
            data = resp.pack("PING") + resp.pack("SET", "big", value) + resp.pack("STRLEN", "big") + resp.pack("PING")
            view = memoryview(data)
            started = time.monotonic()
            for at in range(0, len(data), 3333331):
                c.sock.sendall(view[at:at + 3333331])
            self.assertEqual([c.read() for _ in range(4)], [b"PONG", b"OK", size, b"PONG"])
            self.assertTrue(c.call("GET", "big") == value)
            self.assertLess(time.monotonic() - started, 20)
            c.call("DEL", "big")

    def test_one_command_of_very_many_arguments(self):
        count = 20000 if QUICK else 300000
        with self.ours.client() as c:
            self.assertEqual(c.call("DEL", *["none%d" % i for i in range(count)]), 0)
            self.assertEqual(c.call("PING"), b"PONG")

    # ---- clients that misbehave ----

    def info(self, client, name):
        for line in client.call("INFO", "all").split(b"\r\n"):
            if line.startswith(name.encode() + b":"):
                return line.split(b":", 1)[1]
        self.fail("no field " + name)

    def pending(self, client, other):
        line = client.call("CLIENT", "LIST", "ID", other)
        return int(line.split(b" omem=")[1].split(b" ")[0]) if line else None

    def test_a_client_that_does_not_read_is_served_all_the_same(self):
        with self.ours.client() as c, self.ours.client() as slow:
            c.call("SET", "mb", b"m" * (1 << 20))
            other = slow.call("CLIENT", "ID")
            count = 40 if QUICK else 150
            slow.sock.sendall(resp.pack("GET", "mb") * count + resp.pack("SET", "ran", "yes") + resp.pack("ECHO", "end"))
            resp.wait_until(lambda: c.call("GET", "ran") == b"yes", what="the commands behind")
            self.assertGreater(self.pending(c, other), (count - 16) << 20)
            for _ in range(count):
                self.assertEqual(len(slow.read()), 1 << 20)
            self.assertEqual([slow.read(), slow.read()], [b"OK", b"end"])
            self.assertEqual(self.pending(c, other), 0)
            c.call("DEL", "ran")

    def test_the_hard_output_limit_closes(self):
        with self.ours.client() as c:
            c.call("SET", "mb", b"m" * (1 << 20))
            c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 3mb 0 0")
            try:
                with self.ours.client() as slow:
                    slow.sock.sendall(b"multi\r\n" + b"get mb\r\n" * 20 + b"exec\r\n")
                    slow.sock.settimeout(10)
                    with self.assertRaises((EOFError, ConnectionResetError)):
                        for _ in range(23):
                            slow.read()
                self.assertIn("overcoming of output buffer limits", self.ours.log())
            finally:
                c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
            self.assertEqual(len(c.call("GET", "mb")), 1 << 20)

    def test_the_hard_output_limit_is_exact(self):
        with self.ours.client() as c:
            c.call("SET", "mb", b"m" * (20 << 20))  # more than the socket takes
            c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 30mb 0 0")
            try:
                for count, closed in ((1, False), (2, True)):
                    with self.ours.client() as slow:
                        slow.sock.sendall(b"multi\r\n" + b"get mb\r\n" * count + b"exec\r\n")
                        try:
                            got = [len(slow.read()) for _ in range(1 + count + 1)]
                            self.assertEqual((got[-1], closed), (count, False))
                        except (EOFError, ConnectionResetError):
                            self.assertTrue(closed)
            finally:
                c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
                c.call("DEL", "mb")

    def test_the_soft_output_limit_closes_after_its_time(self):
        with self.ours.client() as c:
            c.call("SET", "mb", b"m" * (1 << 20))
            c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 500kb 1")
            try:
                with self.ours.client() as slow:
                    other = slow.call("CLIENT", "ID")
                    slow.sock.sendall(b"get mb\r\n" * 20)
                    started = time.monotonic()
                    resp.wait_until(lambda: self.pending(c, other) is None, 10, 0.05, "the client to be closed")
                    self.assertGreater(time.monotonic() - started, 0.9)
            finally:
                c.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")

    def test_the_query_buffer_limit_closes(self):
        with self.ours.client() as c:
            c.call("CONFIG", "SET", "client-query-buffer-limit", 1 << 20)
            try:
                with self.ours.client() as greedy:
                    with self.assertRaises((EOFError, ConnectionError)):
                        greedy.sock.sendall(b"*10\r\n" + b"$1000000\r\n" + b"x" * 1000000 + b"\r\n$1000000\r\n"
                                            + b"x" * 1000000)
                        for _ in range(100):
                            greedy.sock.sendall(b"x" * 10000)
                            time.sleep(0.01)
                        greedy.read()
            finally:
                c.call("CONFIG", "SET", "client-query-buffer-limit", 1 << 30)
            self.assertIn("max query buffer length", self.ours.log())

    def test_an_endless_transaction_closes(self):
        with self.ours.client() as c:
            c.call("CONFIG", "SET", "client-query-buffer-limit", 1 << 20)
            try:
                with self.ours.client() as greedy:
                    greedy.call("MULTI")
                    with self.assertRaises((EOFError, ConnectionError)):
                        for _ in range(100):
                            greedy.call("SET", "k", "v" * 50000)
            finally:
                c.call("CONFIG", "SET", "client-query-buffer-limit", 1 << 30)

    def test_a_claimed_length_costs_no_memory(self):
        with self.ours.client() as c:
            before = int(self.info(c, "used_memory"))
            clients = [self.ours.client() for _ in range(20)]
            for other in clients:
                other.sock.sendall(b"*2\r\n$3\r\nGET\r\n$536870912\r\nabc")
            time.sleep(0.2)
            self.assertLess(int(self.info(c, "used_memory")) - before, 64 << 20)
            for other in clients:
                other.close()

    def test_connections_that_break_off_anywhere_do_no_harm(self):
        rng = random.Random(7)
        data = resp.pack("SET", "k", b"v" * 100000) * 3 + resp.pack("GET", "k") * 3
        for _ in range(30 if QUICK else 200):
            s = socket.create_connection(("127.0.0.1", self.ours.port))
            s.sendall(data[:rng.randrange(len(data))])
            if rng.random() < 0.5:  # a reset instead of an orderly end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        with self.ours.client() as c:
            resp.wait_until(lambda: self.info(c, "connected_clients") == b"1", what="the others to be gone")

    def test_idle_clients_own_no_buffers(self):
        clients = [self.ours.client() for _ in range(50)]
        for c in clients:
            self.assertEqual(c.pipeline([("PING",)] * 20), [b"PONG"] * 20)
        lines = clients[0].call("CLIENT", "LIST").split(b"\n")
        sizes = [int(line.split(b" tot-mem=")[1].split(b" ")[0]) for line in lines[1:-1]]
        self.assertGreaterEqual(len(sizes), 49)
        self.assertLess(max(sizes[-49:]), 2048)
        for c in clients:
            c.close()


if __name__ == "__main__":
    unittest.main()
