"""Commands are imported when they are asked for, ours and those of other packages."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stats_pipeline.cli.group import LazyGroup
from stats_pipeline.errors import QueueUnavailable, StatsError, StoreUnavailable

PLUGIN = """
import click

@click.command()
def weekly():
    \"\"\"Report the week.\"\"\"
    click.echo("a quiet week")

not_a_command = 7
"""

ENTRY_POINTS = """
[stats_pipeline.commands]
weekly = weekly_report:weekly
events.weekly = weekly_report:weekly
update = weekly_report:weekly
gone = weekly_report:gone
number = weekly_report:not_a_command
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that adds commands."""
    information = tmp_path / "weekly_report-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: weekly_report\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "weekly_report.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "weekly_report", raising=False)


@click.command()
def update() -> None:
    """Be ours."""
    click.echo("updated")


def group() -> LazyGroup:
    """Make a group as `stats` is one."""
    events = LazyGroup("events", lazy={}, path="events")
    return LazyGroup("stats", lazy={"update": update, "events": events})


def test_names_are_listed_without_importing_anything(plug_in: None) -> None:
    """A package that is slow to import does not slow down the others."""
    context = click.Context(group())
    assert {"weekly", "gone", "update", "events"} <= set(group().list_commands(context))
    assert "events.weekly" not in group().list_commands(context)
    assert "weekly_report" not in sys.modules


@pytest.mark.parametrize("path", [["weekly"], ["events", "weekly"]])
def test_a_package_adds_a_command_where_its_name_says(plug_in: None, path: list[str]) -> None:
    """At the top, or in a group."""
    result = CliRunner().invoke(group(), path)
    assert (result.exit_code, result.stdout) == (0, "a quiet week\n")


def test_a_package_does_not_take_the_place_of_our_commands(plug_in: None) -> None:
    """What the manual says about `update` stays true."""
    assert CliRunner().invoke(group(), ["update"]).stdout == "updated\n"


@pytest.mark.parametrize(
    ("name", "said"), [("gone", "can't be imported"), ("number", "is not a click command")]
)
def test_a_broken_command_is_named_and_hurts_no_other(plug_in: None, name: str, said: str) -> None:
    """The help still works; running it says what is wrong in one line."""
    shown = CliRunner().invoke(group(), ["--help"])
    assert shown.exit_code == 0
    assert "weekly" in shown.stdout
    result = CliRunner().invoke(group(), [name])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"), [([], ("events", "update")), (["events"], ("weekly",))]
)
def test_A000_01_without_a_command_the_commands_are_named(
    plug_in: None, arguments: list[str], named: tuple[str, ...]
) -> None:
    """It is an error, at the top and in a group; help is what was asked for with --help only."""
    result = CliRunner().invoke(group(), arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "Missing command; there are: " in result.stderr
    assert all(f" {name}" in result.stderr for name in named)
    shown = CliRunner().invoke(group(), [*arguments, "--help"])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (StoreUnavailable("the store\ndoes not answer"), 1),
        (QueueUnavailable("the queue\ndoes not answer"), 1),
        (StatsError("two\nlines"), 2),
        (click.BadParameter("two\nlines"), 2),
    ],
)
def test_errors_are_one_line_and_the_exit_code_says_whose_they_are(
    error: Exception, exit_code: int
) -> None:
    """1 for store and queue, which may be there later; 2 for what the user must change."""

    def fail() -> None:
        raise error

    broken = LazyGroup("stats", lazy={"fail": click.Command("fail", callback=fail)})
    result = CliRunner().invoke(broken, ["fail"])
    assert result.exit_code == exit_code
    assert result.stderr.startswith("Error: ")
    assert " ".join(str(error).split()) in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_help_of_the_script_loads_no_stage() -> None:
    """`stats --help` answers at once: neither store nor queue is imported for it."""
    code = (
        "import sys\n"
        "from stats_pipeline.cli import main\n"
        "sys.argv = ['stats', 'update', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    heavy = ('elasticsearch', 'kombu', 'sqlite3', 'waitress')\n"
        "    print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
