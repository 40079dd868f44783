"""The configuration on docs/security.md is what Docker takes, and hands over what we read."""

import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from stats_pipeline.settings import from_environment
from tests.docs.blocks import blocks_of
from tests.docs.conftest import page

URL = "amqps://me:secret@broker//"


def test_a_secret_gets_from_the_compose_file_to_the_setting(tmp_path: Path) -> None:
    """Valid by the schema of compose files; the file that it mounts is the one that is read."""
    (block,) = [block for block in blocks_of(page("docs/security.md")) if block.language == "yaml"]
    compose = tmp_path / "compose.yml"
    compose.write_text(block.text)
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*check, str(compose)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    document = YAML(typ="safe").load(block.text)
    (worker,) = document["services"].values()
    ((variable, mounted),) = worker["environment"].items()
    assert [mounted] == [f"/run/secrets/{name}" for name in worker["secrets"]]
    assert worker["secrets"] == list(document["secrets"])
    secret = tmp_path / "secret"
    secret.write_text(URL)
    assert from_environment({variable: str(secret)}) == {"STATS_BROKER_URL": URL}
