"""The REST API: named queries over HTTP, in the shapes that clients of invenio-stats know."""

from stats_pipeline.rest.blueprint import create_blueprint

__all__ = ["create_blueprint"]
