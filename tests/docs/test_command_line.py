"""docs/cli.md has every command with every option, as they describe themselves."""

import re
import shlex

import click
import pytest

from stats_pipeline.cli.script import script
from tests.docs.blocks import blocks_of
from tests.docs.command_line import page
from tests.docs.conftest import page as page_of_checkout


def test_the_page_is_what_the_commands_say_of_themselves() -> None:
    """`python -m tests.docs.command_line > docs/cli.md` renews it after a change."""
    assert page_of_checkout("docs/cli.md") == page()


def examples() -> list[str]:
    """Return every command line of ours in the examples, as the shell would hand it over."""
    blocks = [
        block.text.replace("\\\n", " ") for block in blocks_of(page_of_checkout("docs/cli.md"))
    ]
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("  ")]
    parts = [part for line in lines for part in re.split(r"&&|\||>", line)]
    return sorted({part.strip() for part in parts if part.split()[:1] == ["stats"]})


def chosen(arguments: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """Return the command that these words choose, and what is left for it."""
    command: click.Command = script
    context = click.Context(script, info_name="stats")
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments[0])
        assert found is not None, f"there is no command {arguments[0]!r}"
        command, context = found, click.Context(found, context, info_name=arguments[0])
        arguments = arguments[1:]
    return command, context, arguments


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_command_with_its_options(example: str) -> None:
    """As they stand in --help: nothing is missing, unknown or of another type, but for files."""
    command, context, arguments = chosen(shlex.split(example)[1:])
    values, rest, _ = command.make_parser(context).parse_args(arguments)
    assert rest == []
    for parameter in command.get_params(context):
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Path | click.File):
            assert value or not parameter.required, parameter.name
        else:
            parameter.process_value(context, value)


def test_there_are_examples() -> None:
    """They are found whatever stands before and behind them in a line."""
    found = examples()
    assert len(found) > 30
    assert "stats migrate invenio-events file-download -" in found
