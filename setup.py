"""Say which folders are packages; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["stats_pipeline", "stats_pipeline.*"]),
        "stats_pipeline.es_templates",
        *(f"stats_pipeline.es_templates.{name}" for name in find_packages("es_templates")),
    ],
    # Index templates lie at the top, where people look for them, and are installed as a package.
    package_dir={"stats_pipeline.es_templates": "es_templates"},
)
