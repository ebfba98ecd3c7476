"""What the programs share: the crash in the middle (programs.py), and waiting."""
import sys
import time


def crash():
    """The server saves, is killed, and is there again."""
    print("crash", flush=True)
    assert sys.stdin.readline() == "restarted\n"


def until(what, condition, seconds=60):
    """Wait until condition() gives something that is true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain for " + what
        time.sleep(0.01)
