"""flask-limiter (python3-flask-limiter) as a web server uses it, with a crash in the middle.

flask_limits.py PORT (programs.py)
"""
import sys
import threading

import flask
from flask_limiter import Limiter

from crash import crash, until


def site(strategy, prefix):
    """A server with a limit by user, a page with one of its own, and one without."""
    app = flask.Flask(prefix)
    limiter = Limiter(lambda: flask.request.args.get("user", "?"), app=app, storage_uri="redis://127.0.0.1:" + sys.argv[1],
                      strategy=strategy, key_prefix=prefix, default_limits=["20 per day"], headers_enabled=True)

    @app.route("/page")
    def page():
        return "a page"

    @app.route("/dear")
    @limiter.limit("2 per second; 3 per day")
    def dear():
        return "a dear page"

    @app.route("/free")
    @limiter.exempt
    def free():
        return "a free page"

    return app, limiter


def visits(app, path, user, times):
    """How many of so many visits were let through, by four threads."""
    statuses = []

    def visit():
        for _ in range(times // 4):
            statuses.append(app.test_client().get("%s?user=%s" % (path, user)).status_code)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(statuses) == times and set(statuses) <= {200, 429}, statuses
    return statuses.count(200)


def left(app, user):
    reply = app.test_client().get("/page?user=" + user)
    return reply.status_code, int(reply.headers["X-RateLimit-Remaining"])


def main():
    sites = [site("fixed-window", "fixed"), site("moving-window", "moving")]
    for app, _ in sites:
        assert visits(app, "/page", "ann", 40) == 20 and visits(app, "/page", "bob", 12) == 12
        assert visits(app, "/free", "ann", 40) == 40
        assert left(app, "bob") == (200, 7)
        # The second in which two are let through goes by; the day does not.
        let_through = []
        until("the day's visits", lambda: let_through.append(visits(app, "/dear", "ann", 4)) or sum(let_through) == 3)
        assert visits(app, "/dear", "ann", 4) == 0
    crash()

    for app, limiter in sites:
        assert visits(app, "/page", "ann", 8) == 0 and visits(app, "/dear", "ann", 4) == 0
        assert left(app, "bob") == (200, 6) and visits(app, "/page", "bob", 12) == 6
        assert left(app, "bob") == (429, 0) and left(app, "eve") == (200, 19)
        assert limiter.storage.check()
    for app, limiter in sites:
        limiter.reset()
        assert left(app, "ann") == (200, 19)
    print("ok")


main()
