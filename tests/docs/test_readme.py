"""What the README shows works, in the order in which it is shown."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.docs.blocks import blocks_of, commands_of
from tests.docs.conftest import CHECKOUT


@pytest.fixture
def folder(readme: str, tmp_path: Path) -> Path:
    """Give a folder with the files of the README, in which its package is installed."""
    for block in blocks_of(readme):
        if block.title:
            file = tmp_path / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    installed = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in items.items())
        for group, items in project["entry-points"].items()
    )
    (installed / "entry_points.txt").write_text(points)
    return tmp_path


def _environment(folder: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": programs, "PYTHONPATH": str(folder)}


def _run(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_prints_what_is_shown(readme: str, folder: Path) -> None:
    """The sessions that are marked to run do so, one after the other, in one folder."""
    sessions = [block for block in blocks_of(readme) if block.info == "run"]
    assert len(sessions) == 3
    for session in sessions:
        for command, shown in commands_of(session):
            assert _run(command, folder).rstrip() == shown.rstrip(), command


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """Serve the README's first app, after it has counted; give the address."""
    _run("python app.py", folder)
    command = [sys.executable, "-m", "flask", "--app", "app", "stats", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=_environment(folder), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_the_curl_line_gives_the_answer_that_is_shown(readme: str, server: str) -> None:
    """But for the time of the last update."""
    blocks = blocks_of(readme)
    position = next(number for number, block in enumerate(blocks) if block.info == "curl")
    text = blocks[position].text.removeprefix("$ ").replace("\\\n", "")
    _curl, url, _header, header, _data, body = shlex.split(text)
    name, _, value = header.partition(": ")
    url = url.replace("http://127.0.0.1:5000/", server)
    with urlopen(Request(url, body.encode(), {name: value})) as response:
        answer = json.load(response)
    shown = json.loads(blocks[position + 1].text)
    shown["mine"]["as_of"] = answer["mine"]["as_of"]
    assert answer == shown


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
