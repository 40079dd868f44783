"""docs/deployment.md says what the code does."""

import re

from ruamel.yaml import YAML

from tests.deployment.files import CHECKOUT, environment_of, service
from tests.docs.blocks import blocks_of

_REQUEST = re.compile(r"\bapi(?:\.options\([^)]*\))?\.((?:indices\.|cluster\.)?[a-z_]+)\(")


def test_every_request_to_elasticsearch_stands_beside_the_right_that_it_needs(page: str) -> None:
    """Whoever adds a request to the store says what operators must allow for it."""
    folder = CHECKOUT / "stats_pipeline" / "stores" / "elasticsearch"
    sent = {name for file in folder.glob("*.py") for name in _REQUEST.findall(file.read_text())}
    table = page.partition("| right | requests |")[2].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| `")]
    assert sent - {"close"} == {name for row in rows for name in re.findall(r"`(.+?)`", row[2])}
    rights = {name for row in rows for name in re.findall(r"`(.+?)`", row[1])}
    (block,) = [block for block in blocks_of(page) if block.language == "yaml"]
    roles = YAML(typ="safe").load(block.text).values()
    given = {right for role in roles for right in role.get("cluster", [])}
    given |= {right for role in roles for entry in role["indices"] for right in entry["privileges"]}
    assert given == rights


def test_commands_are_those_of_the_compose_file(page: str) -> None:
    """Each process of the table is a service, but for options."""
    for name, words in (("web", 1), ("worker", 4), ("beat", 4)):
        command = service(name)["command"]
        assert " ".join(command[:words]) in page
    assert '`gunicorn "stats_pipeline.app:create_app()"`' in page
    assert service("web")["command"][-1] == "stats_pipeline.app:create_app()"
    for variable in ("STATS_STORE_URL", "STATS_BROKER_URL"):
        assert variable in environment_of("worker")
        assert variable in page
