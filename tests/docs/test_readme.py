"""What the README shows works, in the order in which it is shown."""

import re

import pytest

from tests.docs.conftest import CHECKOUT, Follow


@pytest.mark.timeout(240)
def test_every_command_prints_what_is_shown(follow: Follow) -> None:
    """Files, sessions and the server, one after the other, in one folder."""
    kinds = [block.info for block in follow("README.md", {}) if block.language == "console"]
    assert kinds.count("run") == 4


def test_every_folder_is_in_the_table(readme: str) -> None:
    """Each folder of the package and each with sources is named, and all that are named exist."""
    named = set(re.findall(r"^\| `([\w/]+)/` \|", readme, re.MULTILINE))
    package = CHECKOUT / "stats_pipeline"
    expected = {f"stats_pipeline/{p.parent.name}" for p in package.glob("*/__init__.py")}
    tops = {p.parent.name for p in CHECKOUT.glob("*/__init__.py")}
    assert named == expected | tops | {"tests"}


def test_every_link_leads_to_a_file() -> None:
    """In the README and in docs/, links to files of the checkout are good."""
    for page in [CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).is_file(), f"{page.name}: {target}"


def test_every_make_target_that_is_named_exists(readme: str) -> None:
    """The commands for a fresh clone are targets of the Makefile."""
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"`?make ([a-z-]+)", readme))
    assert {"demo", "test", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
