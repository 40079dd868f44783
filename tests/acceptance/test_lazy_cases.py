"""Nothing of a registration is imported before its first use: seen in a fresh process."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

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


def test_A004_65_B32_each_registry_imports_what_it_names_on_first_use_and_once(
    tmp_path: Path,
) -> None:
    """An active event type needs signal and builders at start, all else waits for its use."""
    for name, text in SHOP.items():
        path = tmp_path / "lazy_shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    info = tmp_path / "lazy_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lazy-shop\nVersion: 1.0\n")
    groups = ("events", "aggregations", "queries")
    points = [f"[stats_pipeline.{group}]\nshop = lazy_shop.{group}:register" for group in groups]
    (info / "entry_points.txt").write_text("\n".join(points))
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
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
