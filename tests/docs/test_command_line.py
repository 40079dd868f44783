"""docs/cli.md has every command with every option, as they describe themselves."""

from tests.docs.command_line import page
from tests.docs.conftest import page as page_of_checkout


def test_the_page_is_what_the_commands_say_of_themselves() -> None:
    """`python -m tests.docs.command_line > docs/cli.md` renews it after a change."""
    assert page_of_checkout("docs/cli.md") == page()
