#!/usr/bin/env python3
"""Nobody gets past the password, or past protected mode: every command, in every way in which a
command may come, beside redis-server; and who has shown no password holds next to nothing.

The limits of strangers' requests one by one: test_connections.py. Rights of users: test_acl.py.
"""
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402
from abuse import LONG, MB, AbuseTest, Pings, connect, eventually, field, rss, until_closed  # noqa: E402

NOAUTH = "NOAUTH Authentication required."
OPEN = {"auth", "hello", "quit", "reset"}  # what who has shown no password may say
CROWD = 1000 if LONG else 200


def told(client, *words):
    """The reply, an error as its text, or the end of the connection."""
    try:
        return client.call(*words)
    except resp.RespError as error:
        return str(error)
    except (EOFError, ConnectionError):
        return "(closed)"


def table(server):
    """All commands and subcommands: {words: arity}."""
    with server.client() as c:
        c.call("AUTH", "s3cret")
        out = {}
        for row in c.call("COMMAND"):
            if not row[9]:  # of those with subcommands these alone; another name is unknown, here and there
                out[(row[0].decode(),)] = row[1]
            for sub in row[9]:
                out[tuple(sub[0].decode().split("|"))] = sub[1]
        return out


class Password(AbuseTest):
    def setUp(self):
        super().setUp()
        self.servers = self.start_both("--requirepass", "s3cret", "--enable-debug-command", "yes", "--enable-module-command", "yes")
        self.ours = self.servers[0]

    def admin(self, server=None):
        c = (server or self.ours).client()
        c.call("AUTH", "s3cret")
        return c

    def test_every_command_of_the_table_asks_for_the_password(self):
        for server in self.servers:
            refused, strange = 0, {}
            with server.client() as c:
                for words, arity in sorted(table(server).items()):
                    if words[0] in OPEN:
                        continue
                    for count in {abs(arity), abs(arity) + 1} if arity < 0 else {arity}:
                        answer = told(c, *words, *["x"] * (count - len(words)))
                        if str(answer).endswith(NOAUTH):  # EXEC says it in its own words
                            refused += 1
                        else:
                            strange[words] = answer
            self.assertEqual(strange, {})
            self.assertGreater(refused, 300)
            with self.admin(server) as admin:
                self.assertEqual(admin.call("DBSIZE"), 0)

    def test_what_is_open_answers_as_redis_does(self):
        scenes = [["AUTH"], ["AUTH", "wrong"], ["AUTH", "default", "wrong"], ["AUTH", "nobody", "s3cret"], ["AUTH", "a", "b", "c"],
                  ["HELLO", "2", "AUTH", "default", "wrong"], ["HELLO", "3", "AUTH", "nobody", "s3cret"], ["HELLO", "4"],
                  ["HELLO", "3", "AUTH", "default"], ["HELLO", "3", "SETNAME", "x"], ["HELLO", "3", "NOSUCH"], ["HELLO", "x"],
                  ["RESET"], ["QUIT"], ["NOSUCH", "a"], ["CONFIG", "NOSUCH"], ["GET"], ["COMMAND", "COUNT"], ["DEBUG", "SLEEP", "0"],
                  ["AUTH", "s3cret", "x"], ["AUTH", ""], ["AUTH", "s3cret\0"], ["AUTH", "S3CRET"], ["AUTH", "s3cre"], ["AUTH", "s3crets"],
                  ["HELLO", "3", "AUTH", "default", "s3cret\0"], ["ACL", "WHOAMI"], ["PING"], ["ECHO", "x"], ["SELECT", "1"]]
        out = []
        for server in self.servers:
            row = []
            for words in scenes:
                with server.client() as c:
                    row.append((words, told(c, *words)[:60], told(c, "GET", "k")))
            out.append(row)
        self.assertEqual(*out)
        self.assertEqual({after for _, _, after in out[0]}, {NOAUTH, "(closed)"})

    def test_no_way_around_it(self):
        """Each scene is what somebody without the password sends; then it must not be in, and
        nothing may have happened."""
        scenes = {
            "a transaction": [["MULTI"], ["SET", "k", "v"], ["EXEC"]],
            "a script": [["EVAL", "return redis.call('SET','k','v')", "0"], ["SCRIPT", "LOAD", "return 1"], ["FCALL", "f", "0"]],
            "a copy": [["SYNC"], ["PSYNC", "?", "-1"], ["REPLCONF", "capa", "eof"]],
            "a failed HELLO": [["HELLO", "3", "AUTH", "default", "wrong"], ["SET", "k", "v"], ["HELLO", "3"]],
            "a RESET": [["RESET"], ["SET", "k", "v"], ["RESET"]],
            "ears": [["SUBSCRIBE", "c"], ["PSUBSCRIBE", "*"], ["SSUBSCRIBE", "c"], ["MONITOR"], ["CLIENT", "TRACKING", "ON"]],
            "hands": [["CONFIG", "SET", "requirepass", ""], ["ACL", "SETUSER", "default", "nopass"], ["SHUTDOWN", "NOSAVE"],
                      ["CLIENT", "KILL", "TYPE", "normal"], ["FLUSHALL"], ["DEBUG", "SEGFAULT"], ["SAVE"], ["BGSAVE"]],
            "waiting": [["BLPOP", "q", "0"], ["WAIT", "1", "0"], ["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]],
            "wrong and right": [["AUTH", "wrong"], ["SET", "k", "v"], ["AUTH", "nobody", "s3cret"], ["SET", "k", "v"]],
            "no replies": [["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"], ["SET", "k", "v"]],
            "names in odd letters": [["sEt", "k", "v"], ["set\0", "k", "v"], [" set", "k", "v"], ["EVAL_RO", "return 1", "0"]],
        }
        for name, commands in scenes.items():
            out = []
            for server in self.servers:
                inline = b"".join(b" ".join(b'"%b"' % w.encode().replace(b"\0", b"\\x00") for w in words) + b"\r\n" for words in commands)
                answers = []
                for data in (b"".join(resp.pack(*w) for w in commands), inline):
                    with server.client() as c:
                        c.send_raw(data)
                        answers.append([str(c.read())[:40] for _ in commands] + [told(c, "DBSIZE")])
                with self.admin(server) as admin:
                    self.assertEqual(admin.call("DBSIZE"), 0, name)
                out.append(answers)
            self.assertEqual(*out, name)
            for answers in out[0]:
                self.assertEqual(answers[-1], NOAUTH, name)

    def test_a_reset_and_a_removed_user_are_out_again(self):
        def scene(server):
            with self.admin(server) as c, self.admin(server) as admin:
                out = [told(c, "SET", "k", "v"), told(c, "MULTI"), told(c, "RESET"), told(c, "GET", "k"), told(c, "EXEC"),
                       told(c, "AUTH", "s3cret"), told(c, "GET", "k")]
                admin.call("ACL", "SETUSER", "u", "on", ">p", "+@all", "~*")
                out += [told(c, "AUTH", "u", "p"), told(c, "GET", "k"), told(c, "AUTH", "u", "wrong"), told(c, "ACL", "WHOAMI")]
                admin.call("ACL", "DELUSER", "u")
                out.append(told(c, "GET", "k"))
                admin.call("FLUSHALL")
                return out
        ours, theirs = (scene(s) for s in self.servers)
        self.assertEqual(ours, theirs)
        self.assertEqual(ours[3], NOAUTH)
        self.assertEqual(ours[-1], "(closed)")

    # ---- what a stranger may hold ----

    def strangers(self, data, count=CROWD):
        """A crowd of them sends this and reads nothing; returns the bytes that each cost."""
        with self.admin() as admin:
            before, of_process = field(admin, "used_memory"), rss(self.ours)
            crowd = [connect(self.ours) for _ in range(count)]
            with Pings_of_strangers(self.ours) as pings:
                for s in crowd:
                    s.setblocking(False)
                unsent = [data] * count
                end = time.monotonic() + 60
                while any(unsent) and time.monotonic() < end:
                    stuck = True
                    for i, s in enumerate(crowd):
                        try:
                            n = s.send(unsent[i][:1 << 16]) if unsent[i] else 0
                            stuck = stuck and n == 0
                            unsent[i] = unsent[i][n:]
                        except BlockingIOError:
                            pass
                        except ConnectionError:
                            unsent[i] = b""
                    if stuck:
                        break
                worst = 0
                for _ in range(5):
                    worst = max(worst, field(admin, "used_memory") - before)
                    time.sleep(0.05)
            self.assert_served(pings)
            self.assertLess(rss(self.ours) - of_process, count * 384 * 1024 + 32 * MB)
            for s in crowd:
                s.close()
            eventually(lambda: field(admin, "used_memory") < before + MB, what="the memory")
            return worst / count

    def test_promises_are_no_memory(self):
        self.assertLess(self.strangers(b"*10\r\n$16384\r\n"), 2048)
        self.assertLess(self.strangers(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\n"), 4096)

    def test_requests_that_are_not_finished_are_small(self):
        # Ten arguments of 16 KiB are the most that one request may be, and a line of 64 KiB.
        self.assertLess(self.strangers(b"*10\r\n" + b"$16384\r\n%b\r\n" % (b"x" * 16384) * 9 + b"$16384\r\n" + b"x" * 16000),
                        10 * 17 * 1024 * 2)
        self.assertLess(self.strangers(b"x" * 65000), 2 * 66 * 1024)

    def test_replies_that_are_not_read_are_few(self):
        some = CROWD // 10
        for data in (resp.pack("PING") * 100000, b"PING\r\n" * 200000,
                     resp.pack("HELLO", "3", "AUTH", "default", "wrong") * 30000):
            self.assertLess(self.strangers(data, some), 64 * 1024)

    def test_wrong_passwords_leave_a_bounded_log(self):
        with self.admin() as admin:
            admin.call("ACL", "LOG", "RESET")
            before, lines = field(admin, "used_memory"), len(self.ours.log())
            with self.ours.client() as c:
                for i in range(2000):
                    c.send("AUTH", "%d:" % i + "u" * 16000, "wrong")
                    c.read()
            self.assertEqual(len(admin.call("ACL", "LOG", 1000)), 128)  # acllog-max-len
            self.assertLess(field(admin, "used_memory") - before, 128 * 17 * 1024 + MB)
            self.assertLess(len(self.ours.log()) - lines, 10000)
            admin.call("ACL", "LOG", "RESET")
            self.assertLess(field(admin, "used_memory"), before + MB)

    def test_the_log_is_not_filled_by_strangers(self):
        before = len(self.ours.log())
        begin = time.monotonic()
        for i in range(1000):
            with connect(self.ours) as s:
                s.sendall([b"POST / HTTP/1.1\r\n\r\n", b"*11\r\n", b"$\r\n\r\n", b"*1\r\n$99999\r\n"][i % 4])
                until_closed(s) if i % 4 != 2 else None
        seconds = time.monotonic() - begin
        text = self.ours.log()[before:]
        self.assertGreater(text.count("SECURITY ATTACK"), 0)
        self.assertLessEqual(text.count("SECURITY ATTACK"), 10 * (1 + seconds // 60 + 1))
        self.assertLess(len(text), 10000 * (1 + seconds // 60 + 1))


class Pings_of_strangers(Pings):
    """Nobody needs a password to be told that he needs one."""
    PROGRAM = Pings.PROGRAM.replace('b"+PONG\\r\\n"', 'b"-NOAUTH Authentication required.\\r\\n"')


class ProtectedMode(AbuseTest):
    def own_address(self):
        """An address of this machine that is not the loopback's."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))  # sends nothing
                own = s.getsockname()[0]
            except OSError:
                own = "127.0.0.1"
        if own.startswith("127."):
            self.skipTest("this machine has no address but its own")
        return own

    def test_who_comes_from_elsewhere_is_told_and_closed_whatever_he_sends(self):
        own = self.own_address()
        for server in self.start_both("--bind", own, "127.0.0.1"):
            admin = server.client()
            before = field(admin, "used_memory")
            for data in (b"", b"PING\r\n", resp.pack("AUTH", "x"), resp.pack("HELLO", "3"), resp.pack("SET", "k", "v") * 100,
                         b"GET / HTTP/1.1\r\n\r\n", resp.pack("CONFIG", "SET", "protected-mode", "no"), b"SYNC\r\n", b"\0" * 1000):
                with connect(server, host=own) as s:
                    try:
                        s.sendall(data)
                    except ConnectionError:
                        pass
                    answer = until_closed(s)
                    # What was sent and not read makes a reset of the end, which may overtake it.
                    self.assertTrue(answer.startswith(b"-DENIED") or (answer == b"" and data), answer)
                    self.assertEqual(answer.count(b"\n"), answer.startswith(b"-DENIED"))
            self.assertEqual(admin.call("DBSIZE"), 0)
            self.assertGreaterEqual(field(admin, "rejected_connections"), 9)
            self.assertLess(field(admin, "used_memory"), before + MB)
            # A password is protection enough; without one again, it is not.
            admin.call("CONFIG", "SET", "requirepass", "s3cret")
            with resp.Client(server.port, host=own) as c:
                self.assertEqual([told(c, "PING"), told(c, "AUTH", "s3cret"), told(c, "PING")], [NOAUTH, b"OK", b"PONG"])
            admin.call("CONFIG", "SET", "requirepass", "")
            with connect(server, host=own) as s:
                self.assertTrue(until_closed(s).startswith(b"-DENIED"))
            admin.call("CONFIG", "SET", "protected-mode", "no")
            with resp.Client(server.port, host=own) as c:
                self.assertEqual(c.call("PING"), b"PONG")


if __name__ == "__main__":
    unittest.main()
