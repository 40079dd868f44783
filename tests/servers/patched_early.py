"""Gunicorn's configuration where the master is patched too, as gevent advises with --preload."""

from gevent import monkey

monkey.patch_all()
