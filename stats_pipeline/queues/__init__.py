"""Where events wait for a worker: one protocol, one folder per implementation."""
