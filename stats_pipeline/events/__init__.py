"""The first stage: from a host's signal to a document in the store.

signal -> receiver -> builders -> publisher -> queue -> drain -> preprocessors -> indexer -> store
"""

from stats_pipeline.events.indexer import EventsIndexer

__all__ = ["EventsIndexer"]
