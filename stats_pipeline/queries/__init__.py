"""Queries: named answers, declared once, read from the rows of aggregations.

Any class with ``__init__(name, **query_config)`` and ``run(**params)`` is a query class; these
three read rows. The ``ES...`` names are those of invenio-stats.
"""

from stats_pipeline.queries.date_histogram import DateHistogramQuery
from stats_pipeline.queries.terms import TermsQuery
from stats_pipeline.queries.totals import TotalsQuery

ESDateHistogramQuery = DateHistogramQuery
ESTermsQuery = TermsQuery
ESTotalsQuery = TotalsQuery

__all__ = [
    "DateHistogramQuery",
    "ESDateHistogramQuery",
    "ESTermsQuery",
    "ESTotalsQuery",
    "TermsQuery",
    "TotalsQuery",
]
