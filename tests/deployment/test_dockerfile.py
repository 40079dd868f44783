"""The Dockerfile as far as it can be checked without Docker; the image itself is not built here."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.deployment.files import CHECKOUT, copied_sources, dockerfile, image_command

KNOWN = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "CMD"}


def test_every_instruction_is_one_and_the_last_user_is_not_root() -> None:
    """It begins with an image, and the application runs as a user of its own."""
    instructions = [name for name, _ in dockerfile()]
    assert instructions[0] == "FROM"
    assert set(instructions) <= KNOWN
    users = [user for name, user in dockerfile() if name == "USER"]
    assert users == ["stats"]
    assert instructions.index("USER") < instructions.index("CMD")


def test_python_is_one_that_the_package_supports() -> None:
    """All stages begin with the same image, whose version is pinned and not too old."""
    images = {image.split(" AS ")[0] for name, image in dockerfile() if name == "FROM"}
    assert len(images) == 1
    found = re.fullmatch(r"python:(\d+)\.(\d+)-slim", images.pop())
    assert found
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=").split(".")
    assert [int(part) for part in found.groups()] >= [int(part) for part in oldest]


def test_what_is_copied_exists_and_is_all_that_is_sent_to_docker() -> None:
    """.dockerignore lets through what is copied, and nothing else."""
    for source in copied_sources():
        assert (CHECKOUT / source).exists(), source
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied_sources())


def test_the_package_can_be_built_from_what_is_copied(tmp_path: Path) -> None:
    """Nothing that the build needs is missing in the image."""
    for name in copied_sources():
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", "built", "."],
        cwd=tmp_path,
        check=True,
    )
    assert [file.name for file in (tmp_path / "built").glob("stats_pipeline-*.whl")]


def test_the_server_that_the_image_runs_is_installed_in_it() -> None:
    """The command's program comes with the package or beside it."""
    installed = next(run for name, run in dockerfile() if "pip install" in run)
    assert image_command()[0] == "gunicorn"
    assert '. "gunicorn' in installed
