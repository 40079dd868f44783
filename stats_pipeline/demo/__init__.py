"""The demonstration: a small host application, a month of its traffic, and what is counted of it.

Run by ``make demo`` or ``python -m stats_pipeline.demo``. `host` is the application, and shows all
that a host has to write; `traffic` makes what visitors do there; `sending` sends it as signals;
`expected` counts it in plain Python and `measured` asks the pipeline; `log` takes an access log.
"""
