"""What the tests of the documentation share."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from scripts.services.server import free_ports
from tests.docs.blocks import Block, blocks_of
from tests.docs.sessions import Session, bare_environment, make_environment

CHECKOUT = Path(__file__).parents[2]

#: What a reader of a reference page has done already.
ACTIVATE = Block("console", "run", "$ . .venv/bin/activate\n")


class Follow(Protocol):
    """Do what a page shows, in a folder of its own; return it."""

    def __call__(
        self, name: str, replaced: Mapping[str, str], before: Sequence[Block] = ()
    ) -> list[Block]:
        """Do it, after the blocks that the reader has done before."""


def page(name: str) -> str:
    """Return the text of a page of the checkout."""
    return (CHECKOUT / name).read_text()


def names_in(name: str, title: str) -> dict[str, Any]:
    """Return what the Python file of this title on a page defines."""
    (block,) = [block for block in blocks_of(page(name)) if block.title == title]
    names: dict[str, Any] = {}
    exec(compile(block.text, title, "exec"), names)
    return names


@pytest.fixture
def readme() -> str:
    """Give the text of the README."""
    return page("README.md")


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Give a function that does what a page shows, in a folder of its own, and returns it.

    In the folder is the environment that `make` would have made; to activate it is up to the page.
    What the page says of addresses is replaced by what the test has.
    """
    (port,) = free_ports(1)
    folder = tmp_path / "reader"
    folder.mkdir()
    make_environment(folder / ".venv")
    reader = bare_environment()
    # A person types more slowly than events are sent; here each is sent before the next command.
    reader |= {"FLASK_RUN_PORT": str(port), "FLASK_STATS_PUBLISH": "confirmed"}
    session = Session(folder, reader)

    def do(name: str, replaced: Mapping[str, str], before: Sequence[Block] = ()) -> list[Block]:
        text = page(name)
        ports = {
            "127.0.0.1:5000": f"127.0.0.1:{port}",
            "stats serve\n": f"stats serve --port {port}\n",
        }
        for shown, real in {**ports, **replaced}.items():
            text = text.replace(shown, real)
        blocks = blocks_of(text)
        for block in [*before, *blocks]:
            session.follow(block)
        return blocks

    yield do
    session.close()
