"""A host application that measures the downloads of its files."""
