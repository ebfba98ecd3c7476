#!/usr/bin/env python3
"""Users, their rights, and what becomes of connections when those change.

Beside redis-server where there is one to compare with: random users of random rules, good and
broken ones, and random commands get the same verdict and text on both (Redis 7.0's texts are put
into 7.2's).

  ACL_SEED=n    instead of DIFFERENTIAL_SEED, or of a seed from the clock
  ACL_ROUNDS=n  instead of 60 users (QUICK=1: 15)
"""
import os
import random
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

SEED = int(os.environ.get("ACL_SEED") or os.environ.get("DIFFERENTIAL_SEED") or time.time())
ROUNDS = int(os.environ.get("ACL_ROUNDS", "15" if os.environ.get("QUICK") == "1" else "60"))
HASH_OF_X = b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
NEVER_SHOWN = b"a-secret-that-nobody-sees"


def text(value):
    return "-" + str(value) if isinstance(value, resp.RespError) else value


class AclTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            f.write(content)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def start(self, *args):
        server = resp.start_stillframe(self.dir, *args, "--save", "")
        self.addCleanup(server.kill)
        self.server, self.c = server, self.connect(server)
        return server

    def connect(self, server=None, user=None, password="x"):
        c = (server or self.server).client(timeout=60)
        self.addCleanup(c.close)
        if user is not None:
            self.assertEqual(c.call("AUTH", user, password), b"OK")
        return c

    def refused(self, c, *command):
        """The text of the error that it must be."""
        reply = c.pipeline([command])[0]
        self.assertIsInstance(reply, resp.RespError, command)
        return str(reply)

    def user(self, name, *rules):
        self.assertEqual(self.c.call("ACL", "SETUSER", name, *rules), b"OK")

    def users(self):
        return [line.decode() for line in self.c.call("ACL", "LIST")]

    def assert_closed(self, c):
        with self.assertRaises((EOFError, ConnectionError)):
            c.call("PING")


class Users(AclTest):
    def setUp(self):
        super().setUp()
        self.start()

    def test_there_is_one_user_to_begin_with(self):
        self.assertEqual(self.users(), ["user default on nopass ~* &* +@all"])
        self.assertEqual(self.c.call("ACL", "WHOAMI"), b"default")
        self.assertEqual(self.c.call("ACL", "USERS"), [b"default"])
        self.assertEqual(self.refused(self.c, "ACL", "DELUSER", "default"), "ERR The 'default' user cannot be removed")
        self.assertIn("without any password configured", self.refused(self.c, "AUTH", "x"))
        self.assertEqual(self.c.call("AUTH", "default", "whatever"), b"OK")

    def test_rules_are_told_as_they_were_given(self):
        self.user("a", "on", ">x", "%R~r:*", "%W~w:*", "~both", "%W~both", "&news:*", "+@string", "-set", "+GET", "-get",
                  "+config|GET", "+config", "-config|set", "+select|0", "(+@read ~s* -get)", "( %R~t", "+mget )")
        self.assertEqual(self.users()[0], "user a on #%s %%R~r:* %%W~w:* ~both resetchannels &news:* -@all +@string -set -get"
                         " +config -config|set +select|0 (~s* resetchannels -@all +@read -get) (%%R~t resetchannels -@all +mget)"
                         % HASH_OF_X.decode())
        got = self.c.call("ACL", "GETUSER", "a")
        self.assertEqual(dict(zip(got[::2], got[1::2])), {
            b"flags": [b"on"], b"passwords": [HASH_OF_X], b"keys": b"%R~r:* %W~w:* ~both", b"channels": b"&news:*",
            b"commands": b"-@all +@string -set -get +config -config|set +select|0",
            b"selectors": [[b"commands", b"-@all +@read -get", b"keys", b"~s*", b"channels", b""],
                           [b"commands", b"-@all +mget", b"keys", b"%R~t", b"channels", b""]]})
        self.assertIsNone(self.c.call("ACL", "GETUSER", "nobody"))
        line = self.users()[0]
        self.user("b", *line.split(" ")[2:])
        self.assertEqual(self.users()[1], line.replace("user a", "user b"))

    def test_a_change_is_made_whole_or_not_at_all(self):
        self.user("a", "on", ">x", "~k", "+get")
        before = self.users()
        for rules, error in ((["off", "~more", "+nosuch"], "'+nosuch': Unknown command or category name in ACL"),
                             (["reset", "#12"], "'#12': The password hash must be exactly 64 characters"),
                             (["(+get ~x)", "(+set"], "Unmatched parenthesis in acl selector starting at '(+set'.")):
            self.assertIn(error, self.refused(self.c, "ACL", "SETUSER", "a", *rules))
            self.assertIn(error, self.refused(self.c, "ACL", "SETUSER", "new", *rules))
            self.assertEqual(self.users(), before)
        self.assertEqual(self.refused(self.c, "ACL", "SETUSER", "a b", "on"), "ERR Usernames can't contain spaces or null characters")

    def test_passwords(self):
        self.user("a", "on", ">x", ">y", "#" + "0" * 64)
        for password in ("x", "y"):
            self.connect(user="a", password=password)
        wrong = "WRONGPASS invalid username-password pair or user is disabled."
        c = self.connect()
        for command in (("AUTH", "a", "z"), ("AUTH", "nobody", "x"), ("HELLO", "3", "AUTH", "a", "z"), ("AUTH", "a", "")):
            self.assertEqual(self.refused(c, *command), wrong)
        self.user("a", "<x", "!" + "0" * 64)
        self.assertEqual(self.refused(c, "AUTH", "a", "x"), wrong)
        self.assertIn("does not exist", self.refused(self.c, "ACL", "SETUSER", "a", "<x"))
        self.user("a", "off")
        self.assertEqual(self.refused(c, "AUTH", "a", "y"), wrong)
        self.assertEqual(c.call("ACL", "WHOAMI"), b"default")
        self.user("a", "on", "nopass", "+@connection", "+acl|whoami")
        self.assertEqual(c.call("HELLO", "2", "AUTH", "a", "anything")[1], b"redis")
        self.assertEqual(c.call("ACL", "WHOAMI"), b"a")
        self.assertIn(b" user=a ", c.call("CLIENT", "INFO"))
        c.call("RESET")
        self.assertEqual(c.call("ACL", "WHOAMI"), b"default")

    def test_requirepass_is_the_password_of_default(self):
        self.c.call("CONFIG", "SET", "requirepass", "x")
        self.assertEqual(self.users(), ["user default on #%s ~* &* +@all" % HASH_OF_X.decode()])
        c = self.connect()
        self.assertEqual(self.refused(c, "PING"), "NOAUTH Authentication required.")
        self.assertEqual(c.call("AUTH", "x"), b"OK")
        self.user("default", ">y")
        self.connect(user="default", password="y")
        self.c.call("CONFIG", "SET", "requirepass", "")
        self.assertEqual(self.users(), ["user default on nopass ~* &* +@all"])
        self.user("default", "off")
        c = self.connect()
        self.assertEqual(self.refused(c, "PING"), "NOAUTH Authentication required.")
        self.assertIn("WRONGPASS", self.refused(c, "AUTH", "default", "y"))
        self.assertEqual(self.c.call("PING"), b"PONG")  # it had logged in before

    def test_genpass(self):
        for bits, digits in ((), 64), (("1",), 1), (("5",), 2), (("4096",), 1024):
            a, b = self.c.call("ACL", "GENPASS", *bits), self.c.call("ACL", "GENPASS", *bits)
            self.assertRegex(a.decode(), "^[0-9a-f]{%d}$" % digits)
            if digits >= 64:
                self.assertNotEqual(a, b)
        for bits in ("0", "4097", "-1"):
            self.assertIn("a positive number up to 4096", self.refused(self.c, "ACL", "GENPASS", bits))

    def test_categories(self):
        self.assertIn(b"scripting", self.c.call("ACL", "CAT"))
        self.assertEqual(sorted(self.c.call("ACL", "CAT", "hyperloglog")),
                         [b"pfadd", b"pfcount", b"pfdebug", b"pfmerge", b"pfselftest"])
        self.assertIn(b"acl|setuser", self.c.call("ACL", "CAT", "dangerous"))
        self.assertEqual(self.refused(self.c, "ACL", "CAT", "nosuch"), "ERR Unknown category 'nosuch'")


class Rights(AclTest):
    def setUp(self):
        super().setUp()
        self.start()

    def test_commands_keys_and_channels(self):
        self.user("u", "on", ">x", "+get", "+set", "+mget", "+copy", "+config|get", "+select|0", "~a*", "%R~r*", "%W~w*",
                  "+publish", "+subscribe", "+psubscribe", "&ch*")
        c = self.connect(user="u")
        no_key, no_channel = "NOPERM No permissions to access a key", "NOPERM No permissions to access a channel"
        for command, reply in (
                ("GET a", None), ("GET r", None), ("GET w", no_key), ("SET w 1", b"OK"), ("SET w 1 GET", no_key),
                ("SET r 1", no_key), ("MGET a r", [None, None]), ("MGET a r b", no_key), ("COPY r w", 0), ("COPY w r", no_key),
                ("DEL a", "NOPERM User u has no permissions to run the 'del' command"),
                ("CONFIG SET port 1", "NOPERM User u has no permissions to run the 'config|set' command"),
                ("SELECT 0", b"OK"), ("SELECT 1", "NOPERM User u has no permissions to run the 'select' command"),
                ("PUBLISH ch1 m", 0), ("PUBLISH x m", no_channel), ("SUBSCRIBE ch1 x", no_channel),
                ("PSUBSCRIBE ch1*", no_channel), ("PSUBSCRIBE ch*", [b"psubscribe", b"ch*", 1])):
            got = c.pipeline([command.split()])[0]
            self.assertEqual(str(got) if isinstance(got, resp.RespError) else got, reply, command)
        stats = self.c.call("INFO", "stats")
        for field in (b"acl_access_denied_cmd:3", b"acl_access_denied_key:5", b"acl_access_denied_channel:3"):
            self.assertIn(field + b"\r\n", stats)

    def test_one_selector_alone_has_to_allow_it(self):
        self.user("u", "on", ">x", "+get", "~a", "(+set ~b)", "(+mget %R~a %R~b)")
        c = self.connect(user="u")
        self.assertIsNone(c.call("GET", "a"))
        self.assertEqual(c.call("SET", "b", "1"), b"OK")
        self.assertEqual(c.call("MGET", "a", "b"), [None, b"1"])
        self.assertIn("NOPERM", self.refused(c, "GET", "b"))
        self.assertIn("NOPERM", self.refused(c, "SET", "a", "1"))
        self.user("u", "clearselectors")
        self.assertIn("'set'", self.refused(c, "SET", "b", "1"))

    def test_sort_reads_every_key_or_says_so(self):
        self.user("u", "on", ">x", "+sort", "+rpush", "+eval", "~l")
        c = self.connect(user="u")
        c.call("RPUSH", "l", "2", "1")
        self.assertEqual(c.call("SORT", "l"), [b"1", b"2"])
        self.assertEqual(c.call("SORT", "l", "BY", "nosort"), [b"2", b"1"])
        self.assertEqual(self.refused(c, "SORT", "l", "BY", "w*"), "ERR BY option of SORT denied due to insufficient ACL permissions.")
        self.assertEqual(self.refused(c, "SORT", "l", "GET", "#"), "ERR GET option of SORT denied due to insufficient ACL permissions.")
        by_a_script = "return redis.call('SORT', 'l', 'BY', 'nosort', 'GET', 'w*')"
        self.assertIn("GET option of SORT denied due to insufficient ACL permissions.", self.refused(c, "EVAL", by_a_script, "0"))
        self.user("u", "%R~*")
        self.assertEqual(c.call("SORT", "l", "GET", "#", "BY", "w*"), [b"1", b"2"])
        self.assertEqual(c.call("EVAL", by_a_script, "0"), [None, None])

    def test_a_transaction_is_looked_at_twice(self):
        self.user("u", "on", ">x", "+@all", "~*", "&*")
        c = self.connect(user="u")
        self.assertEqual(c.pipeline([["MULTI"], ["SET", "a", "1"], ["GET", "a"], ["PUBLISH", "x", "m"]])[1:], [b"QUEUED"] * 3)
        self.user("u", "-set", "resetkeys", "resetchannels")
        why = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is " \
              "no longer allowed for the following reason: "
        self.assertEqual([str(e) for e in c.call("EXEC")], [
            why + "no permission to execute the command or subcommand", why + "no permission to touch the specified keys",
            why + "no permission to access one of the channels used as arguments"])
        self.assertEqual(self.c.call("EXISTS", "a"), 0)
        replies = c.pipeline([["MULTI"], ["SET", "a", "1"], ["PING"], ["EXEC"]])
        self.assertIn("NOPERM", str(replies[1]))
        self.assertEqual(str(replies[3]), "EXECABORT Transaction discarded because of previous errors.")
        c.call("MULTI")
        self.user("u", "-exec")
        self.assertEqual(self.refused(c, "EXEC"),
                         "EXECABORT Transaction discarded because of: NOPERM User u has no permissions to run the 'exec' command")
        self.assertIn("without MULTI", self.refused(c, "DISCARD"))
        contexts = {e[5] for e in self.c.call("ACL", "LOG", "100")}
        self.assertEqual(contexts, {b"multi"})

    def test_a_script_may_what_its_caller_may(self):
        self.user("worker", "on", "nopass", "~a*", "+eval", "+get", "+publish")
        c = self.connect(user="worker")
        self.c.call("SET", "a", "x")
        self.assertEqual(c.call("EVAL", "return redis.call('get', 'a')", 0), b"x")
        for words, why in (("'get', 'b'", "No permissions to access a key"), ("'publish', 'news', 'x'", "No permissions to access a channel"),
                           ("'set', 'a', 'y'", "User worker has no permissions to run the 'set' command")):
            told = self.refused(c, "EVAL", "return redis.call(%s)" % words, 0)
            self.assertTrue(told.startswith("NOPERM ACL failure in script: " + why), told)
            self.assertEqual(c.call("EVAL", "return redis.acl_check_cmd(%s)" % words, 0), None)
        self.assertEqual(c.call("EVAL", "return redis.acl_check_cmd('get', 'a')", 0), 1)
        self.assertEqual(self.c.call("GET", "a"), b"x")
        self.assertEqual({e[e.index(b"context") + 1] for e in self.c.call("ACL", "LOG")}, {b"lua"})
        self.assertEqual(self.c.call("EVAL", "return redis.acl_check_cmd('set', 'b', 'y')", 0), 1)

    def test_default_may_be_limited_too(self):
        self.user("default", "-@dangerous", "resetkeys", "~free:*")
        for c in (self.c, self.connect()):
            self.assertIn("NOPERM User default", self.refused(c, "KEYS", "*"))
            self.assertIn("NOPERM", self.refused(c, "GET", "x"))
            self.assertIsNone(c.call("GET", "free:x"))

    def test_dryrun(self):
        self.user("u", "+get", "~a", "+publish", "&c", "+config|get")
        for command, reply in (("GET a", b"OK"), ("GET b", b"User u has no permissions to access the 'b' key"),
                               ("SET a 1", b"User u has no permissions to run the 'set' command"),
                               ("PUBLISH d m", b"User u has no permissions to access the 'd' channel"),
                               ("CONFIG GET x", b"OK"), ("AUTH x", b"OK"),
                               ("GET", "ERR wrong number of arguments for 'get' command"),
                               ("NOSUCH", "ERR Command 'NOSUCH' not found"), ("CONFIG NOSUCH", "ERR Command 'CONFIG' not found")):
            got = self.c.pipeline([["ACL", "DRYRUN", "u", *command.split()]])[0]
            self.assertEqual(str(got) if isinstance(got, resp.RespError) else got, reply, command)
        self.assertEqual(self.refused(self.c, "ACL", "DRYRUN", "nobody", "GET", "a"), "ERR User 'nobody' not found")


class Log(AclTest):
    def setUp(self):
        super().setUp()
        self.start()

    def entries(self, *args):
        return [{k.decode(): v for k, v in zip(e[::2], e[1::2])} for e in self.c.call("ACL", "LOG", *args)]

    def test_what_was_refused_is_counted_and_told(self):
        self.user("u", "on", ">x", "+get", "~a")
        c = self.connect(user="u")
        for _ in range(3):
            self.refused(c, "GET", "b")
        self.refused(c, "DEL", "a")
        self.refused(c, "AUTH", "nobody", "y")
        self.refused(c, "GET", "b")
        log = self.entries()
        self.assertEqual([(e["count"], e["reason"], e["object"], e["username"], e["context"]) for e in log], [
            (4, b"key", b"b", b"u", b"toplevel"), (1, b"auth", b"AUTH", b"nobody", b"toplevel"),
            (1, b"command", b"del", b"u", b"toplevel")])
        self.assertEqual([e["entry-id"] for e in log], [0, 2, 1])
        for e in log:
            self.assertIn(b" user=u ", e["client-info"])
            self.assertLessEqual(e["timestamp-created"], e["timestamp-last-updated"])
            self.assertGreaterEqual(float(e["age-seconds"]), 0)
        self.assertEqual(len(self.entries("1")), 1)
        self.assertEqual(self.entries("-5"), [])
        self.c.call("ACL", "LOG", "RESET")
        self.assertEqual(self.entries(), [])

    def test_so_many_are_kept(self):
        self.user("u", "on", ">x", "+get", "~a")
        c = self.connect(user="u")
        self.c.call("CONFIG", "SET", "acllog-max-len", "3")
        for i in range(20):
            self.refused(c, "GET", "key:%d" % i)
        self.assertEqual([e["object"] for e in self.entries("100")], [b"key:19", b"key:18", b"key:17"])
        self.c.call("CONFIG", "SET", "acllog-max-len", "0")
        self.c.call("ACL", "LOG", "RESET")
        self.refused(c, "GET", "b")
        self.assertEqual(self.entries(), [])
        self.assertIn(b"acl_access_denied_key:21\r\n", self.c.call("INFO", "stats"))

    def test_no_password_is_shown(self):
        self.c.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
        monitor = self.connect()
        monitor.call("MONITOR")
        self.user("u", "on", ">" + NEVER_SHOWN.decode())
        self.refused(self.c, "ACL", "SETUSER", "u", "<" + NEVER_SHOWN.decode() + "x")
        c = self.connect()
        self.refused(c, "AUTH", "u", NEVER_SHOWN.decode() + "x")
        c.call("AUTH", "u", NEVER_SHOWN.decode())
        self.c.pipeline([["MULTI"], ["ACL", "SETUSER", "u", ">" + NEVER_SHOWN.decode()], ["EXEC"]])
        self.c.call("ECHO", "the end")
        seen = b""
        while b"the end" not in seen:
            seen += monitor.read()
        shown = [seen, repr(self.c.call("SLOWLOG", "GET", "-1")).encode(), repr(self.c.call("ACL", "LOG")).encode(),
                 self.c.call("CLIENT", "LIST"), repr(self.c.call("ACL", "LIST")).encode(), self.server.log().encode()]
        self.assertIn(b"(redacted)", shown[1])
        for where in shown:
            self.assertNotIn(NEVER_SHOWN, where)


class Connections(AclTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.user("u", "on", ">x", "+@all", "~*", "&*")

    def test_who_is_removed_is_closed(self):
        idle, blocked, queued, own = (self.connect(user="u") for _ in range(4))
        blocked.send("BLPOP", "nothing", "0")
        queued.call("MULTI")
        resp.wait_until(lambda: b"cmd=blpop" in self.c.call("CLIENT", "LIST"))
        self.assertEqual(own.call("ACL", "DELUSER", "u", "nobody"), 1)  # who says it gets the reply
        for c in (idle, queued, own):
            self.assert_closed(c)
        with self.assertRaises((EOFError, ConnectionError)):
            blocked.read()
        self.assertEqual(self.c.call("ACL", "USERS"), [b"default"])

    def test_who_is_off_stays(self):
        c = self.connect(user="u")
        self.user("u", "off")
        self.assertEqual(c.call("ACL", "WHOAMI"), b"u")

    def test_who_may_hear_no_more_is_closed(self):
        for what, name in (("SUBSCRIBE", "news"), ("PSUBSCRIBE", "n*"), ("SSUBSCRIBE", "news")):
            self.user("u", "allchannels")
            listens, other = self.connect(user="u"), self.connect(user="u")
            listens.call(what, name)
            self.user("u", "resetchannels", "&n*", "&more")  # that may be heard still
            self.assertEqual(listens.call("PING"), [b"pong", b""])
            self.user("u", "resetchannels", "&x")
            self.assert_closed(listens)
            self.assertEqual(other.call("PING"), b"PONG")

    def test_client_kill_user(self):
        c, d = self.connect(user="u"), self.connect()
        self.assertEqual(self.refused(self.c, "CLIENT", "KILL", "USER", "nobody"), "ERR No such user 'nobody'")
        self.assertEqual(self.c.call("CLIENT", "KILL", "USER", "u"), 1)
        self.assert_closed(c)
        self.assertEqual(d.call("PING"), b"PONG")


class Files(AclTest):
    def refused_start(self, *args):
        with self.assertRaises(resp.StartError) as e:
            resp.start_stillframe(self.dir, *args, "--save", "")
        return str(e.exception)

    def test_lines_of_the_configuration(self):
        conf = self.write("a.conf", "user a on >x ~k +get (~l +set)\nacl-pubsub-default allchannels\nuser b off\n")
        self.start(conf)
        self.assertEqual(self.users(), ["user a on #%s ~k &* -@all +get (~l &* -@all +set)" % HASH_OF_X.decode(), "user b off &* -@all",
                                        "user default on nopass ~* &* +@all"])
        self.user("a", "+del")
        self.c.call("ACL", "DELUSER", "b")
        self.user("c", "on", "nopass", "%R~x")
        self.user("quotes", "~it's", "resetchannels", '&"', "~back\\slash")
        self.c.call("CONFIG", "REWRITE")
        written = self.read("a.conf")
        self.assertIn("\nuser c on nopass %R~x &* -@all\n", written)
        self.assertNotIn("user b", written)
        self.assertNotIn("user default", written)
        self.assertNotIn(">x", written)
        users = self.users()
        self.server.stop()
        self.start(conf)
        self.assertEqual(self.users(), users)
        self.user("default", "-@dangerous", "+config")
        self.c.call("CONFIG", "REWRITE")
        self.assertIn("user default on nopass ~* &* +@all -@dangerous +config", self.read("a.conf"))

    def test_a_user_of_an_included_file_is_not_written_twice(self):
        self.write("more.conf", "user a on nopass\n")
        conf = self.write("a.conf", "include %s\n" % self.path("more.conf"))
        self.start(conf)
        self.assertIn("Duplicate user found", self.refused(self.c, "CONFIG", "REWRITE"))
        self.assertEqual(self.read("a.conf"), "include %s\n" % self.path("more.conf"))

    def test_mistakes_are_told_with_their_line(self):
        for line, error in (("user b +nosuch", "Error in user declaration '+nosuch': Unknown command or category name in ACL"),
                            ("user a on", "Error in user declaration 'a': Duplicate user found."),
                            ('user "b c" on', "Spaces not allowed in ACL usernames"),
                            ("user b (+get", "Unmatched parenthesis in acl selector"), ("user", "Bad directive or wrong number of arguments")):
            conf = self.write("a.conf", "user a on\n%s\n" % line)
            told = self.refused_start(conf)
            self.assertIn("at line 2\n>>> '%s'\n" % line, told)
            self.assertIn(error, told)

    def test_not_both(self):
        self.write("users.acl", "")
        conf = self.write("a.conf", "user a on\naclfile users.acl\n")
        self.assertIn("but not both", self.refused_start(conf))

    def test_the_aclfile(self):
        self.write("users.acl", "user a on nopass ~a +get\n\nuser b on >x +@all ~* &*\n")
        conf = self.write("a.conf", "aclfile users.acl\nrequirepass secret\n")
        self.start(conf, "--requirepass", "")
        stays, goes = self.connect(user="a"), self.connect(user="b")
        self.assertEqual(self.c.call("ACL", "USERS"), [b"a", b"b", b"default"])
        before = self.users()
        self.write("users.acl", "user a on nopass ~a +get\nnobody on\nuser a off\nuser b +nosuch\nuser c (+get\n")
        self.assertEqual(
            self.refused(self.c, "ACL", "LOAD"),
            "ERR users.acl:2: should start with user keyword followed by the username. WARNING: Duplicate user 'a' found on line 3. "
            "users.acl:4: Error in applying operation '+nosuch': Unknown command or category name in ACL. "
            "users.acl:5: Unmatched parenthesis in selector definition. "
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed".replace("2: should", "2 should"))
        self.assertEqual(self.users(), before)
        self.write("users.acl", "user a on nopass ~a +get\nuser b on >x +@all ~* -del\n")
        self.assertEqual(self.c.call("ACL", "LOAD"), b"OK")
        self.assertIsNone(stays.call("GET", "a"))
        self.assert_closed(goes)
        self.user("c", "on", "#" + "0" * 64)
        self.assertEqual(self.c.call("ACL", "SAVE"), b"OK")
        self.assertEqual(self.read("users.acl").splitlines(), self.users())
        self.c.call("CONFIG", "REWRITE")
        self.assertNotIn("user ", self.read("a.conf"))
        os.remove(self.path("users.acl"))
        self.assertIn("No such file or directory", self.refused(self.c, "ACL", "LOAD"))
        self.server.stop()
        self.assertIn("Error loading ACLs, opening file 'users.acl'", self.refused_start(conf))
        self.write("users.acl", "user a +nosuch\n")
        self.assertIn("Aborting startup because of ACL errors: users.acl:1: ", self.refused_start(conf))

    def test_requirepass_stays_beside_a_file_without_default(self):
        self.write("users.acl", "user a on nopass\n")
        server = resp.start_stillframe(self.dir, "--save", "", "--aclfile", "users.acl", "--requirepass", "x")
        self.addCleanup(server.kill)
        self.server = server
        c = self.connect()
        self.assertEqual(self.refused(c, "PING"), "NOAUTH Authentication required.")
        c.call("AUTH", "x")
        self.assertEqual(c.call("ACL", "LOAD"), b"OK")
        self.assertEqual(self.refused(self.connect(), "PING"), "NOAUTH Authentication required.")

    def test_without_a_file_load_and_save_say_so(self):
        self.start()
        for what in ("LOAD", "SAVE"):
            self.assertIn("is not configured to use an ACL file", self.refused(self.c, "ACL", what))


# ---- beside redis-server ----

KEYS = ["a", "a:1", "a:2", "b", "b:x", "key", "", "a*", "[a]"]
CHANNELS = ["news", "news:1", "x", "", "n*"]
PATTERNS = ["*", "a", "a*", "a:*", "b?x", "[ab]", "[ab]*", "key", "k*", "\\a*", "news", "news*", "n*", "x", "[a]", "*:*", ""]
PASSWORDS = ["x", "y", "", "a long one"]
CALLS = """get K;set K v;set K v get;set K v nx get;getex K persist;getdel K;append K v;mget K K K;mset K v K v;del K K;unlink K;
exists K K;touch K;copy K K;copy K K replace;rename K K;renamenx K K;type K;expire K 1;persist K;object encoding K;object freq K;
memory usage K;dump K;restore K 0 x;sort K;sort K by w*;sort K get #;sort K store K;sort_ro K;lpush K v;lmove K K left left;
rpoplpush K K;blpop K K 0;blmove K K left left 0;lmpop 2 K K left;lmpop x K left;blmpop 0 1 K left;sinter K K;sinterstore K K K;
sintercard 2 K K;sdiffstore K K;smove K K v;sadd K v;zadd K 1 v;zrangestore K K 0 1;zunion 2 K K;zunionstore K 2 K K;
zunionstore K 9 K K;publish C v;subscribe C;psubscribe P;zdiffstore K 1 K;zmpop 1 K min;bzmpop 0 2 K K min;hset K f v;hget K f;xadd K * f v;xread streams K K 0 0;
xread count 1 streams K 0;xreadgroup group g c streams K K > >;xgroup create K g 0;xinfo stream K;pfadd K v;pfcount K K;
pfmerge K K K;bitop and K K K;bitfield K get u8 0;bitfield K set u8 0 1;bitfield_ro K get u8 0;bitcount K;setbit K 0 1;
geoadd K 1 1 v;geosearch K frommember v byradius 1 m;geosearchstore K K frommember v byradius 1 m;georadius K 1 1 1 m;
georadius K 1 1 1 m store K;lcs K K;publish C v;spublish C v;subscribe C C;psubscribe P P;ssubscribe C;unsubscribe C;punsubscribe;
sunsubscribe;pubsub channels;ping;echo v;auth x;auth u x;hello;quit;reset;multi;exec;discard;watch K K;unwatch;select 0;select 1;
swapdb 0 1;client id;client list;client kill id 1;client nosuch;client;config get x;config set a b;config nosuch;config;info;keys *;
scan 0;flushall;flushdb;save;bgsave;lastsave;acl whoami;acl list;acl setuser x;acl nosuch;debug object K;debug sleep 0;
slowlog get;latency latest;monitor;shutdown nosave;command count;command getkeys get K;cluster info;wait 0 0;time;role;dbsize;
randomkey;move K 1;object help;nosuch K;get;set K;mset K;migrate_nosuch""".replace("\n", "").split(";")


class Words:
    """Rules and calls by chance."""

    def __init__(self, seed, commands, categories):
        self.rnd, self.commands, self.categories = random.Random(seed), commands, categories

    def one_of(self, words):
        return self.rnd.choice(words)

    def command(self):
        name = self.one_of(self.commands)
        return self.one_of([name, name, name.upper(), name.split("|")[0]])

    def hash(self):
        good = "".join(self.one_of("0123456789abcdef") for _ in range(64))
        return self.one_of([good, HASH_OF_X.decode(), good[:-1], good.upper(), good + "0", ""])

    def selector_rule(self):
        sign, pattern = self.one_of("+++-"), self.one_of(PATTERNS)
        return self.one_of([
            lambda: sign + self.command(), lambda: sign + self.command(), lambda: sign + "@" + self.one_of(self.categories),
            lambda: sign + "@" + self.one_of(self.categories), lambda: sign + self.command() + "|" + self.one_of(["0", "x", "get", "SET", "a|b", ""]),
            lambda: "~" + pattern, lambda: "%R~" + pattern, lambda: "%W~" + pattern, lambda: self.one_of(["%RW~", "%wr~", "%Rw~"]) + pattern,
            lambda: "&" + pattern, lambda: "&" + pattern,
            lambda: self.one_of(["allkeys", "RESETKEYS", "allchannels", "resetchannels", "allcommands", "nocommands", "+@ALL", "-@all", "~*", "&*"])])()

    def broken_rule(self):
        return self.one_of(["+nosuch", "-@nosuch", "+@", "+", "-", "%~a", "%RR~a", "%X~a", "%", "~a b", "&a b", "foo", "@all", "(foo)",
                            "(+get", ")", "(on)", "(+get (x))", "<nosuch", "-get|x", "+config|nosuch", "+config|get|x", "+get|",
                            "#" + self.hash()[:9], "!x"])

    def rule(self):
        r = self.rnd.random()
        if r < 0.6:
            return [self.selector_rule()]
        if r < 0.7:
            inner = [self.selector_rule() for _ in range(self.rnd.randrange(4))]
            return self.one_of([["(" + " ".join(inner) + ")"], ["(" + " ".join(inner), ")"] if inner else ["()"]])
        if r < 0.85:
            return [self.one_of([">", "<"]) + self.one_of(PASSWORDS)] if self.rnd.random() < 0.6 else [self.one_of("#!") + self.hash()]
        if r < 0.985:
            return [self.one_of(["on", "off", "ON", "nopass", "resetpass", "sanitize-payload", "skip-sanitize-payload", "clearselectors", ""])]
        return ["reset"]

    def rules(self):
        """No selector that opens in another: Redis forgets the words of the outer one, and here it
        is an error."""
        while True:
            rules, is_open = self.any_rules(), False
            for word in rules:
                if is_open and word.startswith("(") and not word.endswith(")"):
                    break
                is_open = (is_open or word.startswith("(")) and not word.endswith(")")
            else:
                return rules

    def any_rules(self):
        first = self.one_of([[], [], ["+@all"], ["+@pubsub"], ["+@read", "+@write"]])
        out = first + [word for _ in range(self.rnd.randrange(1, 9)) for word in self.rule()]
        if self.rnd.random() < 0.15:
            out.insert(self.rnd.randrange(len(out) + 1), self.broken_rule())
        return out

    def call(self):
        """Not PFMERGE of one key, which Redis's ACL does not find."""
        while True:
            call = self.any_call()
            if not (call[0].lower() == "pfmerge" and len(call) == 2):
                return call

    def any_call(self):
        if self.rnd.random() < 0.3:
            name = self.one_of(self.commands).split("|")
            return name + [self.one_of(KEYS + ["1", "2"]) for _ in range(self.rnd.randrange(5))]
        pools = {"K": KEYS, "C": CHANNELS, "P": PATTERNS}
        return [self.one_of(pools[w]) if w in pools else w for w in self.one_of(CALLS).split(" ")]


# What Redis 7.0 says, in 7.2's words.
NEWER = [(r"NOPERM this user has no permissions to run", r"NOPERM User %s has no permissions to run"),
         (r"^NOPERM this user has no permissions to access one of the keys used as arguments$", "NOPERM No permissions to access a key"),
         (r"^NOPERM this user has no permissions to access one of the channels used as arguments$", "NOPERM No permissions to access a channel"),
         (r"^This user has", r"User %s has")]


def in_newer_words(user, reply):
    words = str(reply) if isinstance(reply, resp.RespError) else reply.decode("latin-1") if isinstance(reply, bytes) else reply
    if isinstance(words, str):
        for older, newer in NEWER:
            words = re.sub(older, newer.replace("%s", user), words)
    return (isinstance(reply, resp.RespError), words)


class Differential(AclTest):
    """The oracle is Debian's redis-server 7.0."""

    def setUp(self):
        super().setUp()
        self.start()
        directory = tempfile.mkdtemp(dir=self.dir)
        oracle = resp.start_redis_server(directory, "--save", "")
        self.addCleanup(oracle.kill)
        self.o = self.connect(oracle)
        self.oracle = oracle
        both = set(self.c.call("COMMAND", "LIST")) & set(self.o.call("COMMAND", "LIST"))
        # but for what 7.2 has changed of them: test_protocol.py
        self.commands = sorted(name.decode() for name in both if self.row(self.c, name) == self.row(self.o, name))
        self.assertGreater(len(self.commands), 250)
        self.categories = [name.decode() for name in self.c.call("ACL", "CAT")]
        self.words = Words(SEED, self.commands, self.categories)

    @staticmethod
    def row(c, name):
        """What of a command's row counts here: arity, categories, where its keys are."""
        row = c.call("COMMAND", "INFO", name)[0]
        return row[1], sorted(row[6]), repr(row[8])

    def same(self, user, *command):
        ours, theirs = (in_newer_words(user, c.pipeline([command])[0]) for c in (self.c, self.o))
        self.assertEqual(ours, theirs, "seed %d: %r\nusers here: %s" % (SEED, command, self.users()))
        return ours

    def getuser(self, c, user):
        """All but the commands, which 7.0 tells otherwise."""
        def without_commands(flat):
            fields = dict(zip(flat[::2], flat[1::2]))
            del fields[b"commands"]
            # which Redis shows so, and would not read again
            fields[b"keys"] = [b"~*" if p == b"%RW~*" else p for p in fields[b"keys"].split(b" ")]
            return fields
        fields = without_commands(c.call("ACL", "GETUSER", user))
        fields[b"selectors"] = [without_commands(s) for s in fields[b"selectors"]]
        return fields

    def judge_all(self, user, calls):
        """The verdicts on every call: of each here and there, and again of the user as its line
        here makes it there."""
        ours = [in_newer_words(user, r) for r in self.c.pipeline([["ACL", "DRYRUN", user, *call] for call in calls])]
        rules = [line for line in self.users() if line.split(" ")[1] == user][0].split(" ")[2:]
        self.assertEqual(self.o.call("ACL", "SETUSER", "again", "reset", *rules), b"OK", (SEED, rules))
        for there in (user, "again"):
            theirs = [in_newer_words(user, r) for r in self.o.pipeline([["ACL", "DRYRUN", there, *call] for call in calls])]
            for call, a, b in zip(calls, ours, theirs):
                self.assertEqual(a, b, "seed %d: as %s: %r\n%s" % (SEED, there, call, self.users()))
        return ours

    def test_the_same_verdicts_and_texts(self):
        print("acl: seed %d" % SEED, file=sys.stderr)
        verdicts, broken = set(), 0
        for n in range(ROUNDS):
            user = "user%d" % (n % 5)
            if self.words.rnd.random() < 0.2:
                self.same(user, "ACL", "DELUSER", user)
            self.same(user, "ACL", "SETUSER", user)
            for _ in range(self.words.rnd.randrange(1, 5)):
                broken += self.same(user, "ACL", "SETUSER", user, *self.words.rules())[0]
            self.assertEqual(self.getuser(self.c, user), self.getuser(self.o, user), SEED)
            answers = self.judge_all(user, [self.words.call() for _ in range(150)])
            verdicts |= {re.sub("'.*'", "X", str(words).replace(user, "U")) for _, words in answers}
        self.assertGreater(broken, 0)
        for verdict in ("OK", "User U has no permissions to run the X command", "User U has no permissions to access the X key",
                        "User U has no permissions to access the X channel"):
            self.assertIn(verdict, verdicts)

    def test_connections_are_told_the_same(self):
        harmless = [c for c in CALLS if c.split(" ")[0] in (
            "get mget mset copy rename exists touch type lmpop sinter sinterstore zunion zunionstore bitop publish spublish hget hset sadd "
            "echo ping pfcount pfmerge sort lmove smove dump unlink xread bitfield dbsize select config client keys").split(" ")
            and not re.match("client (list|kill)|config get|dump|xread|keys|client id|client$|config$|select 1", c)]
        pools = {"K": ["a", "a:1", "b", "key"], "C": CHANNELS, "P": PATTERNS}
        for n in range(max(ROUNDS // 4, 5)):
            user = "conn%d" % n
            for _ in range(3):
                self.same(user, "ACL", "SETUSER", user, "on", "nopass", *self.words.rules())
            self.same(user, "ACL", "SETUSER", user, "on", "nopass", "+@connection")
            here, there = self.connect(user=user), self.connect(self.oracle, user=user)
            for _ in range(60):
                call = [self.words.one_of(pools[w]) if w in pools else w for w in self.words.one_of(harmless).split(" ")]
                if self.words.rnd.random() < 0.3:
                    batch = [["MULTI"], call, ["EXEC"]]
                else:
                    batch = [call]
                a, b = ([r[0] if isinstance(r, list) and batch[0] == ["MULTI"] and r else r for r in c.pipeline(batch)]
                        for c in (here, there))
                a, b = ([in_newer_words(user, r) for r in side] for side in (a, b))
                self.assertEqual(a, b, "seed %d: %s: %r\n%s" % (SEED, user, batch, self.users()))
            self.assertEqual([[e[1], e[3], e[5], e[7], e[9]] for e in self.c.call("ACL", "LOG")],
                             [[e[1], e[3], e[5], e[7], e[9]] for e in self.o.call("ACL", "LOG")])


if __name__ == "__main__":
    unittest.main(warnings="ignore")
