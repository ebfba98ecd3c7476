"""Commands with arguments by chance, made from what COMMAND DOCS says of them.

Such a command is well formed and means little; sequences/ makes those that mean something.  This
makes sure that each command of the table is used, the ones that no other generator knows too.
"""

# What would end, stop or empty the server, take its connections away, or wait; the soak does these
# itself (Saves, Sessions, the restarts), or they lead to other servers.
LEFT_OUT = {
    "shutdown", "debug", "sync", "psync", "monitor", "replconf", "quit", "reset", "select", "auth", "hello", "migrate",
    "flushall", "flushdb", "swapdb", "move", "save", "bgsave", "bgsave cancel", "multi", "exec", "wait", "waitaof",
    "client pause", "client kill", "client reply", "client unblock", "client tracking", "config set", "config rewrite", "config resetstat",
    "acl setuser", "acl deluser", "acl load", "acl save", "function flush", "function restore", "function load", "script kill", "function kill",
    "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "script flush", "latency reset", "slowlog reset"}
WORDS = ["a", "b", "x", "*", "m1", "m2", "0", "1", "-1", "hello world", ""]


def as_map(flat):
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))


class Table:
    def __init__(self, client, rng, keys, database):
        """keys: the names that keys may have; database: the only one that may be named."""
        self.rng, self.keys, self.database = rng, keys, database
        self.commands = []
        for name, doc in sorted(as_map(client.call("COMMAND", "DOCS")).items()):
            self.add(name.decode(), as_map(doc))

    def add(self, name, doc):
        if b"subcommands" in doc:
            for sub, sub_doc in sorted(as_map(doc[b"subcommands"]).items()):
                self.add(sub.decode().replace("|", " "), as_map(sub_doc))
        elif name not in LEFT_OUT:
            self.commands.append((name.split(" "), [as_map(a) for a in doc.get(b"arguments", [])]))

    def command(self):
        name, arguments = self.rng.choice(self.commands)
        return name + [w for a in arguments for w in self.argument(a)]

    def argument(self, a):
        flags = a.get(b"flags", [])
        if b"optional" in flags and self.rng.random() < 0.6:
            return []
        times = self.rng.choice([1, 1, 2, 3]) if b"multiple" in flags else 1
        token = [a[b"token"]] if b"token" in a and a[b"type"] != b"pure-token" else []
        if b"multiple_token" in flags:
            return [w for _ in range(times) for w in token + self.value(a)]
        return token + [w for _ in range(times) for w in self.value(a)]

    def value(self, a):
        rng, kind, name = self.rng, a[b"type"], a.get(b"name", b"")
        if kind == b"pure-token":
            return [a.get(b"token", name)]
        if kind == b"oneof":
            return self.argument(as_map(rng.choice(a[b"arguments"])))
        if kind == b"block":
            return [w for part in a[b"arguments"] for w in self.argument(as_map(part))]
        if b"timeout" in name or name in (b"milliseconds", b"seconds"):
            return ["0.01" if kind == b"double" else "10"]
        if kind == b"key":
            return [rng.choice(self.keys)]
        if kind == b"integer" and name.endswith(b"db"):
            return [self.database]
        if kind == b"integer":
            return [rng.choice([0, 1, 2, 3, 10, 100, -1, 1000])]
        if kind == b"double":
            return [rng.choice(["0.5", "1", "-2.25", "100"])]
        if kind == b"unix-time":
            return [rng.choice([4102444800, 4102444800000])]
        return [rng.choice(WORDS)]
