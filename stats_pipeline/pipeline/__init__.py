"""The three stages put together, without Flask."""

from stats_pipeline.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
