"""Moving: events out of a store and into one, history from elsewhere, and one person's events out.

Imported events are not sent through the queue: what is stored already must not be made anonymous
or flagged a second time, and each batch is stored, marked and in the ledger before the next.
"""

from stats_pipeline.pipeline.moving.moving import Moving

__all__ = ["Moving"]
