"""docs/settings.md says of every setting what the code says."""

import json
import re

from stats_pipeline.settings import SETTINGS, Setting
from tests.docs.conftest import CHECKOUT


def _section(setting: Setting) -> str:
    default = json.dumps(setting.default, default=str)
    return f"## `{setting.name}`\n\n{setting.help}\n\nDefault: `{default}`\n"


def test_every_setting_has_its_section_and_nothing_else_has_one() -> None:
    """Name, meaning and default are those of the table in settings.py, in its order."""
    page = (CHECKOUT / "docs" / "settings.md").read_text()
    for setting in SETTINGS:
        assert _section(setting) in page, f"put this into docs/settings.md:\n{_section(setting)}"
    assert re.findall(r"^## `(.+)`$", page, re.MULTILINE) == [s.name for s in SETTINGS]
