"""Random commands on places."""
from .compare import numbers

NAME = "geo"
NEEDS = "GEOADD"
COMPARE = {name: numbers for name in ("GEODIST", "GEOPOS", "GEOSEARCH", "GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER",
                                      "GEORADIUSBYMEMBER_RO", "ZRANGE", "ZSCORE")}
CITIES = {"Palermo": (13.361389, 38.115556), "Catania": (15.087269, 37.502669), "Rome": (12.496366, 41.902783),
          "Suva": (178.441895, -18.141600), "Apia": (-171.766667, -13.833333), "Pole": (0, 85), "Null": (0, 0),
          "Berlin": (13.404954, 52.520008)}


def commands(w):
    k, rnd = w.key, w.rnd
    pick = rnd.choice

    def place():
        r = rnd.random()
        if r < 0.5:
            lon, lat = pick(list(CITIES.values()))  # no two at one place: which of them COUNT takes is nobody's promise
            return [round(lon + rnd.uniform(-0.01, 0.01), 6), round(lat + rnd.uniform(-0.01, 0.01), 6)]
        if r < 0.93:
            return [round(rnd.uniform(-180, 180), 6), round(rnd.uniform(-85, 85), 6)]
        return pick([[181, 0], [0, 86], [-180, -85.05112878], [180, 85.05112878], ["x", 1], [1, "nan"], ["", ""], ["inf", 0], [1e3, 1e3]])

    def member():
        return pick(list(CITIES)) if w.chance(0.6) else "p%d" % rnd.randrange(200)

    def unit():
        return pick(["m", "km", "ft", "mi", "KM"] if w.chance(0.97) else ["x", ""])

    def length():
        return pick([1, 100, 500.5, 3000, 20000, 0] if w.chance(0.96) else [-1, "x", "nan", "inf", ""])

    def shape():
        return pick([["BYRADIUS", length(), unit()], ["BYBOX", length(), length(), unit()]])

    def center():
        return pick([["FROMLONLAT"] + place(), ["FROMMEMBER", member()]])

    def options(store=()):
        words = pick([[], ["ASC"], ["DESC"], ["asc"]]) + pick([[], [], ["COUNT", pick([1, 3, 50, 0, -1, "x"])]])
        for flag in ("WITHCOORD", "WITHDIST", "WITHHASH"):
            if w.chance(0.3):
                words.append(flag)
        words += pick(store) if store else []
        return words + (pick([["FOO"], ["ANY"], ["COUNT"]]) if w.chance(0.04) else [])

    def search():
        parts = [center(), shape()]
        if w.chance(0.3):
            parts.reverse()
        if w.chance(0.03):
            parts += [pick([center(), shape()])]
        return [x for p in parts for x in p]

    def sorted_search():  # without an order the reply has none that is promised
        return ["GEOSEARCH", k()] + search() + pick([["ASC"], ["DESC"]]) + [o for o in options() if str(o).upper() not in ("ASC", "DESC")]

    def distances():
        """A key for distances: read as places they would all be one place, whose order is nobody's
        promise."""
        return "distances:%d" % rnd.randrange(3)

    def search_store(kind):
        return (["GEOSEARCHSTORE", distances() if kind else k(), k()] + search() + kind +
                [o for o in options() if not str(o).startswith("WITH") or w.chance(0.1)])

    def radius(name, by_member):
        where = [member()] if by_member else place()
        store = [] if name.endswith("_RO") else [[], [], [], ["STORE", k()], ["STOREDIST", distances()]]
        return [name, k()] + where + [length(), unit()] + ["ASC"] + [o for o in options(store) if str(o).upper() not in ("ASC", "DESC")]
    return [
        (8, lambda: ["GEOADD", k()] + pick([[], [], [], ["NX"], ["XX"], ["CH"], ["XX", "CH"], ["NX", "XX"]]) +
         [x for _ in range(pick([1, 1, 3, 20])) for x in place() + [member()]]),
        (3, lambda: ["GEOPOS", k()] + w.some(member, 0, 1, 3)),
        (3, lambda: ["GEODIST", k(), member(), member()] + pick([[], [unit()], [unit()], ["m", "x"]])),
        (2, lambda: ["GEOHASH", k()] + w.some(member, 0, 1, 3)),
        (6, sorted_search),
        (3, lambda: search_store([])),
        (1, lambda: search_store(["STOREDIST"])),
        (1, lambda: ["ZRANGE", distances(), 0, -1, "WITHSCORES"]),
        (2, lambda: radius(pick(["GEORADIUS", "GEORADIUS", "GEORADIUS_RO"]), False)),
        (2, lambda: radius(pick(["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]), True)),
        (1, lambda: ["ZRANGE", k(), 0, -1, "WITHSCORES"]),
        (1, lambda: ["ZREM", k(), member()]),
        (0.3, lambda: [pick(["GEOADD", "GEOPOS", "GEODIST", "GEOHASH", "GEOSEARCH", "GEOSEARCHSTORE", "GEORADIUS"])] + w.some(k, 0, 1, 2, 3)),
    ]
