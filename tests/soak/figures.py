"""What a long run measures of a server, and whether that stays as it is.

look() takes one look at a server: /proc and INFO.  Samples writes looks as lines of a CSV file.
growth() is the growth over a series by a robust fit: the median of the slopes of all pairs of
points (Theil and Sen), which a third of bad points does not move.
"""
import os
import statistics

MB = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")
WARM = 0.25  # of a series: what is filled for the first time is not growth


def rss_of(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * PAGE


def descriptors_of(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def threads_of(pid):
    return len(os.listdir("/proc/%d/task" % pid))


def info(client, section="everything"):
    out = {}
    for line in bytes(client.call("INFO", section)).decode().split("\r\n"):
        name, _, value = line.partition(":")
        out[name] = value
    return out


# What a look takes from INFO: column, field.  redis-server lacks some of them.
FIELDS = [("used", "used_memory"), ("active", "allocator_active"), ("live", "mm_live_bytes"), ("records", "mm_record_bytes"), ("resident", "mm_resident_bytes"),
          ("side", "mm_side_bytes"), ("images", "mm_images_bytes"), ("retired", "mm_retired_bytes"), ("newborn", "mm_newborn_bytes"),
          ("preserved", "mm_preserved_bytes"), ("scripts", "number_of_cached_scripts"), ("tracked", "tracking_total_keys"),
          ("clients", "connected_clients"), ("blocked", "blocked_clients"), ("evicted", "evicted_keys"), ("expired", "expired_keys"),
          ("saves", "rdb_saves"), ("cancelled", "rdb_saves_cancelled"), ("commands", "total_commands_processed"),
          ("connections", "total_connections_received")]


def look(server, client):
    """One look at a server, as a dict of numbers; its memory in bytes."""
    said = info(client)
    out = {"rss": rss_of(server.pid), "fds": descriptors_of(server.pid), "threads": threads_of(server.pid)}
    for column, field in FIELDS:
        out[column] = int(said.get(field, 0))
    out["keys"] = sum(int(v.split("=")[1].split(",")[0]) for k, v in said.items() if k.startswith("db") and "keys=" in v)
    return out


class Samples:
    """Rows of a CSV file; the columns are those of the first row."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path, self.columns = path, None
        self.file = open(path, "w", encoding="ascii")  # pylint: disable=consider-using-with

    def add(self, row):
        if self.columns is None:
            self.columns = list(row)
            self.file.write(",".join(self.columns) + "\n")
        self.file.write(",".join("%.6g" % row[c] if isinstance(row[c], float) else str(row[c]) for c in self.columns) + "\n")
        self.file.flush()

    def close(self):
        self.file.close()


def slope(points):
    """The median of the slopes between all pairs of (x, y)."""
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:] if x2 != x1]
    return statistics.median(slopes) if slopes else 0.0


def warmed(points):
    return points[int(len(points) * WARM):]


def growth(points):
    """By how much y grows over the series, its beginning left out."""
    points = warmed(points)
    return slope(points) * (points[-1][0] - points[0][0]) if len(points) > 1 else 0.0


def thirds(values):
    """The medians of the middle and of the last third."""
    n = len(values) // 3
    return (statistics.median(values[n:2 * n]), statistics.median(values[2 * n:])) if n else (0.0, 0.0)


def percentile(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0
