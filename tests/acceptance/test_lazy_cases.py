"""Nothing of a registration is imported before its first use: seen in a fresh process."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]

#: A package with one module for each registry, and one for each thing that a registration names.
SHOP = {
    "events.py": """
        def register():
            return [dict(event_type="sale", templates="lazy_shop.templates",
                         signal="lazy_shop.signals.sold",
                         event_builders=["lazy_shop.builders.build"],
                         processor_class="lazy_shop.indexing.Indexer",
                         processor_config=dict(preprocessors=["lazy_shop.preparing.prepare"]))]
        """,
    "aggregations.py": """
        def register():
            return [dict(aggregation_name="sale-agg", aggregator_class="lazy_shop.counting.Counter",
                         aggregator_config=dict(event="sale", aggregation_field="item",
                                                query_modifiers=["lazy_shop.choosing.choose"]))]
        """,
    "queries.py": """
        def register():
            return [dict(query_name="sales", query_class="lazy_shop.asking.Sales",
                         permission="lazy_shop.permitting.permit")]
        """,
    "signals.py": "from blinker import Signal; sold = Signal()",
    "builders.py": "def build(event, sender): return event",
    "indexing.py": "from stats_pipeline import EventsIndexer as Indexer",
    "preparing.py": "def prepare(event): return event",
    "counting.py": "from stats_pipeline import StatAggregator as Counter",
    "choosing.py": "def choose(events): return events",
    "asking.py": """
        class Sales:
            def __init__(self, name): pass
            def run(self): return {}
        """,
    "permitting.py": "def permit(name, params): return True",
    "templates/__init__.py": "",
    "templates/sale.json": '{"template": {"mappings": {"properties": {"item": '
    '{"type": "keyword"}}}}}',
    "__init__.py": "",
}

#: Runs each step and prints which of the package's modules it has imported.
STEPS = """
import json, sys
from flask import Flask
from stats_pipeline import StatsPipeline

def steps():
    app = Flask("host")
    app.config["STATS_EVENTS"] = {"sale": {}}
    yield "at start", lambda: StatsPipeline(app)
    registries = lambda: app.extensions["stats_pipeline"].registries
    yield "listed aggregations", lambda: registries().aggregation_items
    yield "an aggregation", lambda: registries().aggregation("sale-agg").config
    yield "a run", lambda: registries().aggregation("sale-agg").aggregator_class(
        registries().aggregation("sale-agg"))
    yield "listed queries", lambda: registries().query_items
    yield "a query", lambda: registries().query("sales")
    yield "permitted", lambda: registries().query("sales").permits({})
    yield "run", lambda: registries().query("sales").instance.run()
    yield "processing", lambda: registries().event_type("sale").preprocessors
    yield "indexing", lambda: registries().event_type("sale").processor_class
    yield "again", lambda: (registries().query("sales").instance, registries().event_items)

seen, found = set(), []
for name, step in steps():
    step()
    shop = {module[10:] for module in sys.modules if module.startswith("lazy_shop.")}
    found.append([name, sorted(shop - seen)])
    seen |= shop
print(json.dumps(found))
"""


#: Sets up an app with the settings of its argument and prints the modules of package and host.
START = """
import json, sys
from flask import Flask
from stats_pipeline import StatsPipeline
app = Flask("host")
app.config.update(json.loads(sys.argv[1]))
StatsPipeline(app)
print(json.dumps(sorted(m[5:] for m in sys.modules if m.startswith(("lazy_shop.", "lazy_host")))))
"""

HOST = """
from stats_pipeline import EventsIndexer as Indexer
def may(name, params): return True
def choose(events): return events
"""


def install(folder: Path) -> None:
    """Put the package and a module of the host where a process finds them."""
    for name, text in SHOP.items():
        path = folder / "lazy_shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    (folder / "lazy_host.py").write_text(HOST)
    info = folder / "lazy_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lazy-shop\nVersion: 1.0\n")
    groups = ("events", "aggregations", "queries")
    points = [f"[stats_pipeline.{group}]\nshop = lazy_shop.{group}:register" for group in groups]
    (info / "entry_points.txt").write_text("\n".join(points))


def printed(folder: Path, program: str, *arguments: str) -> Any:
    """Run a program in a fresh process and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_A004_65_B32_each_registry_imports_what_it_names_on_first_use_and_once(
    tmp_path: Path,
) -> None:
    """An active event type needs signal and builders at start, all else waits for its use."""
    install(tmp_path)
    assert printed(tmp_path, STEPS) == [
        ["at start", ["builders", "events", "signals"]],
        ["listed aggregations", ["aggregations"]],
        ["an aggregation", ["templates"]],
        ["a run", ["choosing", "counting"]],
        ["listed queries", ["queries"]],
        ["a query", []],
        ["permitted", ["permitting"]],
        ["run", ["asking"]],
        ["processing", ["preparing"]],
        ["indexing", ["indexing"]],
        ["again", []],
    ]


@pytest.mark.parametrize(
    ("settings", "imported"),
    [
        ({"STATS_QUERIES": {"sales": {"description": "Sales"}}}, ["shop.queries"]),
        ({"STATS_QUERIES": {"sales": {"permission": "lazy_host.may"}}}, ["host", "shop.queries"]),
        (
            {"STATS_AGGREGATIONS": {"sale-agg": {"aggregator_config": {"index_interval": "year"}}}},
            ["shop.aggregations", "shop.events", "shop.templates"],
        ),
        (
            {
                "STATS_AGGREGATIONS": {
                    "sale-agg": {"aggregator_config": {"query_modifiers": ["lazy_host.choose"]}}
                }
            },
            ["host", "shop.aggregations", "shop.events", "shop.templates"],
        ),
        (
            {"STATS_EVENTS": {"sale": {"processor_class": "lazy_host.Indexer"}}},
            ["host", "shop.builders", "shop.events", "shop.signals"],
        ),
    ],
)
def test_A004_65_what_the_host_overrides_imports_nothing_else_that_is_registered(
    settings: dict[str, Any], imported: list[str], tmp_path: Path
) -> None:
    """What the host names itself is looked at; fields are compared with the event's template."""
    install(tmp_path)
    assert printed(tmp_path, START, json.dumps(settings)) == imported
