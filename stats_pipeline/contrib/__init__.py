"""Ready event types, aggregations and queries, made only of what any other package could use.

Nothing imports them: they come in through entry points, as the packages of others do.
"""
