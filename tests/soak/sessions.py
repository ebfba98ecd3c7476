"""Clients that come, do something of one kind, and go: on both servers where they may be compared.

pairs: scripts, functions, users, transactions with WATCH.  Alone: subscribers who read or do not,
clients who wait for keys and go, tracking, MONITOR, commands cut in the middle, commands from the
table, TLS.  Databases 14 (by chance) and 15 (compared).
"""
import random
import socket
import ssl
import time

import resp
import test_script_differential
from table import Table
from workers import Worker

BY_CHANCE, COMPARED = 14, 15
KEYS = ["t%d" % i for i in range(60)]


class Programs(test_script_differential.Generated):
    """Lua programs by chance."""

    def __init__(self, rng):
        super().__init__("test_values")
        self.rng = rng


class Session(Worker):
    """number: its names and keys are its own."""

    def __init__(self, gate, servers, number, seed, tls=None):
        super().__init__(gate)
        self.servers, self.number, self.tls = servers, number, tls
        self.rng = random.Random(seed)
        self.programs = Programs(self.rng)
        self.connections = 0
        with servers[0].client() as c:
            self.table = Table(c, self.rng, KEYS, BY_CHANCE)
        self.kinds = [self.scripts, self.functions, self.users, self.watch, self.subscribe, self.wait, self.track, self.monitor,
                      self.break_off, self.from_table, self.from_table, self.names, self.control] + ([self.encrypted] if tls else [])

    def unit(self):
        self.rng.choice(self.kinds)()

    def client(self, side=0):
        self.connections += 1
        return self.servers[side].client(timeout=300)

    def both(self, commands, protocol=2, same=lambda command, ours, theirs: ours == theirs):
        """The same commands on both; replies are equal."""
        replies = []
        first = [["HELLO", protocol], ["SELECT", COMPARED]]
        for side in (0, 1):
            with self.client(side) as c:
                replies.append(c.pipeline(first + commands)[len(first):])
        for command, ours, theirs in zip(commands, *replies):
            if not same(command, ours, theirs):
                raise AssertionError("%.2000r: ours %.500r, theirs %.500r" % (command, ours, theirs))
        self.commands += len(commands)

    # -- compared

    def scripts(self):
        """Each program is new, so the cache grows until somebody empties it."""
        k = ["k%d:%d" % (self.number, i) for i in range(4)]
        begin = [["DEL"] + k, ["SET", k[1], "v1"]]
        programs = []
        for _ in range(self.rng.choice([1, 5, 20])):
            text = self.programs.program_of_commands().replace("'k", "'k%d:" % self.number)
            programs += [["EVAL", text, 0], ["EVALSHA", "%040x" % self.rng.getrandbits(160), 0]]
        end = [["SCRIPT", "FLUSH"]] if self.rng.random() < 0.05 else []
        self.both(begin + programs + end, self.rng.choice([2, 3]))

    def functions(self):
        lib = "lib%d_%d" % (self.number, self.rng.randrange(3))
        f = "f_" + lib
        code = "#!lua name=%s\nlocal x = '%s'\nredis.register_function('%s', function(keys, args) return {#x, args[1], redis.call('incr', keys[1])} end)" % (
            lib, "y" * self.rng.randrange(5000), f)
        commands = [["FUNCTION", "LOAD", "REPLACE", code], ["FCALL", f, 1, "n:" + lib, "a"], ["FUNCTION", "LOAD", code], ["FCALL", "no" + f, 0],
                    ["FUNCTION", "LIST", "LIBRARYNAME", lib], ["FUNCTION", "LOAD", "REPLACE", code[:-5]], ["DEL", "n:" + lib]]
        if self.rng.random() < 0.5:
            commands.append(["FUNCTION", "DELETE", lib])
        self.both(commands)

    def users(self):
        """Users come and go, are refused and logged."""
        name = "user%d_%d" % (self.number, self.rng.randrange(20))
        rules = self.rng.sample(["+@read", "-@write", "+get", "~k*", "%R~x*", "+@all", "-@dangerous", "&c*", "resetkeys", "+config|get", "nopass"], 4)
        begin = [["ACL", "SETUSER", name, "reset"], ["ACL", "SETUSER", name, "on", ">secret"] + rules]
        tries = [["ACL", "DRYRUN", name, "GET", "k1"], ["ACL", "DRYRUN", name, "SET", "k1", "v"], ["ACL", "DRYRUN", name, "PUBLISH", "c1", "v"],
                 ["AUTH", name, "wrong"], ["AUTH", name, "secret"], ["ACL", "WHOAMI"], ["GET", "k1"], ["SET", "x1", "v"], ["FLUSHALL", "WRONG"],
                 ["CONFIG", "GET", "databases", "wrong"]]
        self.both(begin + tries, same=self.same_user)
        self.both([["ACL", "DELUSER", name, "nobody"]] + ([["ACL", "LOG", "RESET"]] if self.rng.random() < 0.05 else []))

    @staticmethod
    def same_user(command, ours, theirs):
        """What a refusal says has changed since 7.0; whether it is one has not."""
        def outcome(reply):
            return "refused" if isinstance(reply, resp.RespError) or command[1] == "DRYRUN" and reply != b"OK" else reply
        return outcome(ours) == outcome(theirs)

    def watch(self):
        """A transaction that somebody else may have spoilt."""
        k, is_spoilt = "w%d" % self.number, self.rng.random() < 0.5
        replies = []
        for side in (0, 1):
            with self.client(side) as c, self.client(side) as other:
                said = c.pipeline([["SELECT", COMPARED], ["WATCH", k, k + "2"], ["MULTI"], ["INCR", k], ["GET", k + "2"]])
                if is_spoilt:
                    other.pipeline([["SELECT", COMPARED], ["INCR", k]])
                replies.append(said + [c.pipeline([["EXEC"]])])
        assert replies[0] == replies[1], "WATCH: ours %r, theirs %r" % tuple(replies)
        self.commands += 8

    def names(self):
        self.both([["CLIENT", "SETNAME", "n%d" % self.rng.randrange(99)], ["CLIENT", "GETNAME"], ["CLIENT", "NO-EVICT", "on"]], self.rng.choice([2, 3]))
        with self.client() as c:
            c.pipeline([["CLIENT", "LIST"], ["SLOWLOG", "GET", 100], ["LATENCY", "LATEST"], ["LATENCY", "HISTOGRAM"], ["ACL", "LOG"], ["COMMAND"],
                        ["INFO", "everything"], ["SLOWLOG", "RESET"], ["LATENCY", "RESET"], ["LATENCY", "DOCTOR"]])

    # -- alone

    def subscribe(self):
        """Reads what comes, or does not, and goes; more comes than is read."""
        rng = self.rng
        with self.client() as c, self.client() as other:
            c.send(rng.choice(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"]), *["c%d" % rng.randrange(300) for _ in range(rng.choice([1, 5, 100]))])
            for _ in range(rng.choice([1, 10])):
                other.pipeline([[rng.choice(["PUBLISH", "SPUBLISH"]), "c%d" % rng.randrange(300), "x" * rng.choice([10, 1000, 50000])] for _ in range(20)])
                self.commands += 20
            if rng.random() < 0.5:
                c.sock.settimeout(0.05)
                try:
                    while c.sock.recv(1 << 16):
                        pass
                except OSError:
                    pass

    def wait(self):
        """Waits for keys, is served or not, and goes."""
        rng, k = self.rng, "q%d" % self.number
        with self.client() as c, self.client() as other:
            c.pipeline([["SELECT", BY_CHANCE]])
            c.send(*rng.choice([["BLPOP", k, k + "x", 0], ["BZPOPMIN", k + "z", 0], ["XREAD", "BLOCK", 0, "STREAMS", k + "s", "$"], ["BLMOVE", k, k + "y", "LEFT", "LEFT", 0],
                                ["BLMPOP", 0, 2, k, k + "x", "LEFT"]]))
            if rng.random() < 0.5:
                other.pipeline([["SELECT", BY_CHANCE], ["RPUSH", k, "a", "b"], ["ZADD", k + "z", 1, "a"], ["XADD", k + "s", "MAXLEN", 3, "*", "a", "b"],
                                ["DEL", k, k + "x", k + "y", k + "z"]])
            time.sleep(rng.random() / 100)
        self.commands += 6

    def track(self):
        """A cache that is told what changes."""
        rng = self.rng
        with self.client() as c, self.client() as other:
            how = rng.choice([[], ["BCAST"], ["BCAST", "PREFIX", "t1"], ["OPTIN"], ["NOLOOP"]])
            c.pipeline([["HELLO", 3], ["SELECT", BY_CHANCE], ["CLIENT", "TRACKING", "on"] + how, ["CLIENT", "CACHING", "yes"]] + [["GET", k] for k in rng.sample(KEYS, 20)])
            other.pipeline([["SELECT", BY_CHANCE]] + [["SET", k, "v" * rng.randrange(1000)] for k in rng.sample(KEYS, 20)] + [["DEL"] + rng.sample(KEYS, 20)])
            if rng.random() < 0.3:
                c.pipeline([["CLIENT", "TRACKING", "off"]])
        self.commands += 40

    def monitor(self):
        with self.client() as c:
            c.send("MONITOR")
            time.sleep(self.rng.random() / 20)

    def break_off(self):
        """Leaves in the middle of something, or without reading."""
        with self.client() as c:
            c.send_raw(self.rng.choice([b"*3\r\n$3\r\nSET\r\n$1\r\n", b"SUBSCRIBE c1 c2\r\nPI", b"MULTI\r\nSET a b\r\n", b"COMMAND DOCS\r\n" * 50,
                                        b"*1000000\r\n", b"*2\r\n$4\r\nECHO\r\n$1000000\r\n" + b"x" * 100000, b"*-5\r\n*1\r\n$0\r\n\r\n", b"\x16\x03\x01garbage\r\n",
                                        b"WATCH a b c\r\nSELECT 14\r\nBLPOP nothing 0\r\nPING\r\n"]))

    def from_table(self):
        """Any command; all answer, and in step."""
        with self.client() as c:
            c.pipeline([["HELLO", self.rng.choice([2, 3])], ["SELECT", BY_CHANCE]])
            commands = [self.table.command() for _ in range(30)]
            for command in commands:
                word = "step-%d" % self.rng.randrange(1 << 30)
                replies = c.pipeline([command, ["ECHO", word]])
                if replies[-1] != word.encode():
                    raise AssertionError("out of step after %r: %.500r" % (command, replies))
            c.pipeline([["UNWATCH"], ["DEL"] + self.rng.sample(KEYS, 30)])
        self.commands += 60

    def control(self):
        """What a client says of itself and of others, and what is refused."""
        with self.client() as c, self.client() as other:
            c.pipeline([["SELECT", BY_CHANCE], ["CLIENT", "PAUSE", 1, "WRITE"], ["CLIENT", "UNPAUSE"], ["WAIT", 0, 1], ["WAITAOF", 0, 0, 1], ["SCRIPT", "KILL"], ["FUNCTION", "KILL"],
                        ["MODULE", "LOAD", "x"], ["MODULE", "LOADEX", "x"], ["MODULE", "UNLOAD", "x"], ["FUNCTION", "RESTORE", "x"],
                        ["MIGRATE", "127.0.0.1", 1, "nothing", 0, 10], ["SUBSCRIBE", "c"], ["UNSUBSCRIBE", "c"], ["PSUBSCRIBE", "c*"], ["PUNSUBSCRIBE", "c*"],
                        ["SSUBSCRIBE", "c"], ["SUNSUBSCRIBE", "c"], ["RESET"]])
            c.send_raw(b"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n")
            c.read()
            other.call("CLIENT", "KILL", "ID", c.call("CLIENT", "ID"))
            other.call("QUIT")
        self.commands += 24

    def encrypted(self):
        """Through TLS, or what is no TLS."""
        port, context = self.tls
        self.connections += 1
        with socket.create_connection(("127.0.0.1", port), timeout=300) as raw:
            if self.rng.random() < 0.2:
                raw.sendall(b"PING\r\n")
                return
            with context.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(b"PING\r\n" + b"SELECT 14\r\nGET t1\r\n" * self.rng.choice([1, 50]))
                try:
                    sock.recv(100)
                except ssl.SSLError:
                    pass
        self.commands += 1
