#!/usr/bin/env python3
"""Programs from Debian that work with queues, caches and limits, in Python and Ruby: as
test_programs.py has them from npm.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs  # noqa: E402


class Python(programs.Programs):
    def test_rq(self):
        self.python("rq", "python3-rq", "rq_jobs.py")

    def test_django_redis(self):
        self.python("django_redis", "python3-django-redis", "django_cache.py")

    def test_flask_limiter(self):
        self.python("flask_limiter", "python3-flask-limiter", "flask_limits.py")

    def test_celery(self):
        self.python("celery", "python3-celery", "celery_tasks.py")


class Ruby(programs.Programs):
    def test_sidekiq(self):
        self.ruby("sidekiq", "ruby-sidekiq", "sidekiq_jobs.rb")


if __name__ == "__main__":
    unittest.main()
