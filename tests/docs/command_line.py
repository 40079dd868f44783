"""docs/cli.md as it should be: ``python -m tests.docs.command_line > docs/cli.md`` renews it."""

import inspect
import sys
from collections.abc import Iterator

import click

from stats_pipeline.cli.script import script

#: Of every command, and so said once.
COMMON = ("as_json", "verbosity")

HEAD = """\
# Command line

`stats` runs the stand-alone application, `flask stats` the same commands in yours. Each has
`--help`. Each that does something has `--json`, for one JSON document on standard output, and `-v`
and `-vv`, to say more on standard error. Commands that are fit for cron print their result on a
terminal, with `--json` or with `-v`, and nothing otherwise.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_sections("stats", script, None)])


def _sections(name: str, command: click.Command, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent, info_name=name)
    arguments = [_argument(p) for p in command.params if isinstance(p, click.Argument)]
    yield f"## `{' '.join([context.command_path, *arguments])}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    options = [p for p in command.params if isinstance(p, click.Option) and p.name not in COMMON]
    if options:
        rows = (f"| `{_option(option)}` | {_meaning(option)} |" for option in options)
        yield "\n".join(["| option | meaning |", "|---|---|", *rows, ""])
    if command.epilog:
        yield f"```text\n{command.epilog.removeprefix(chr(8)).strip()}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, child
            yield from _sections(child, found, context)


def _argument(argument: click.Argument) -> str:
    return argument.metavar or f"[{argument.human_readable_name.upper()}]"


def _option(option: click.Option) -> str:
    value = option.metavar
    if isinstance(option.type, click.Choice):
        value = "\\|".join(option.type.choices)
    elif value is None and not option.is_flag:
        value = max(option.opts, key=len).lstrip("-").upper()
    return " ".join([", ".join(option.opts), *([value] if value else [])])


def _meaning(option: click.Option) -> str:
    default = f" Default: `{option.default}`." if option.show_default else ""
    return f"{option.help}{' Required.' if option.required else ''}{default}"


if __name__ == "__main__":
    sys.stdout.write(page())
