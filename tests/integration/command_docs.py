#!/usr/bin/env python3
"""Writes docs/commands.md from what the server says of its commands (make docs-commands);
test_introspection.py checks that the file is current."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp  # noqa: E402

PATH = os.path.join(resp.ROOT, "docs", "commands.md")
GROUPS = ["connection", "generic", "string", "bitmap", "hash", "list", "set", "sorted-set", "hyperloglog", "geo", "stream",
          "pubsub", "transactions", "scripting", "cluster", "server"]

HEAD = """# Commands

Every command of the server, with the Redis version that brought it (`DELIFEQ`: the Valkey
version). `COMMAND DOCS` answers the same, and the arguments; the table is written from it by
`make docs-commands`. Where a command differs from Redis's: [operations.md](operations.md), last
section.
"""


def pairs(flat):
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))


def rows(name, doc):
    """Rows of a command and its subcommands: name, since, complexity, summary."""
    doc = pairs(doc)
    if b"subcommands" in doc:
        for sub, sub_doc in sorted(pairs(doc[b"subcommands"]).items()):
            yield from rows(sub.replace(b"|", b" "), sub_doc)
        return
    cells = [b"`" + name.upper() + b"`", doc[b"since"], doc[b"complexity"].rstrip(b"."), doc[b"summary"]]
    yield "| %s |" % " | ".join(c.decode().replace("|", "\\|") for c in cells)


def render(client):
    """The text of the file, from a running server."""
    commands = pairs(client.call("COMMAND", "DOCS"))
    groups = {pairs(d)[b"group"].decode() for d in commands.values()}
    out = [HEAD]
    for group in [g for g in GROUPS if g in groups] + sorted(groups - set(GROUPS)):
        out.append("\n## %s\n\n| command | since | complexity | |\n|---|---|---|---|\n" % group.capitalize())
        for name, doc in sorted(commands.items()):
            if pairs(doc)[b"group"].decode() == group:
                out += [row + "\n" for row in rows(name, doc)]
    return "".join(out)


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = resp.start_stillframe(directory, "--save", "")
        try:
            with server.client() as c:
                text = render(c)
        finally:
            server.stop()
    with open(PATH, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
