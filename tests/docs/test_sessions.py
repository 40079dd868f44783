"""A reader starts with nothing: what a page leaves out is missed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.docs.conftest import ACTIVATE
from tests.docs.sessions import Session, bare_environment, make_environment

SHOW = Block("console", "run", "$ stats --version\n...\n")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Give a reader in a folder in which `make` has made the environment."""
    make_environment(tmp_path / ".venv")
    session = Session(tmp_path, bare_environment())
    yield session
    session.close()


def test_what_is_not_activated_is_not_found(session: Session) -> None:
    """A page that never says so fails at its first program, as its reader does."""
    with pytest.raises(AssertionError, match="stats: command not found"):
        session.follow(SHOW)


def test_what_is_activated_stays_so(session: Session) -> None:
    """From one command, and from one block, to the next."""
    session.follow(ACTIVATE)
    session.follow(SHOW)
