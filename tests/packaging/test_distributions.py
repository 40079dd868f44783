"""What is installed, from a wheel, from the wheel of an sdist and in editable mode, is complete."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SOURCES = [
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "LICENSE",
    "README.md",
    "stats_pipeline",
    "es_templates",
]
NOT_SOURCE = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
WAYS = ["wheel", "wheel of the sdist", "editable"]

#: Runs in the new environment, away from the checkout; prints what an installed package offers.
LOOK = """
import json
from importlib.metadata import distribution
from importlib.resources import files

def walk(folder, prefix=""):
    for item in folder.iterdir():
        if item.is_dir():
            yield from walk(item, f"{prefix}{item.name}/")
        elif not item.name.endswith((".py", ".pyc")):
            yield prefix + item.name

def problems(points):
    for point in points:
        try:
            point.load()
        except Exception as error:
            yield f"{point.group}: {point.name} = {point.value}: {error!r}"

points = distribution("stats_pipeline").entry_points
print(json.dumps({
    "templates": sorted(walk(files("stats_pipeline.es_templates"))),
    "data": sorted(walk(files("stats_pipeline"))),
    "points": sorted([point.group, point.name, point.value] for point in points),
    "problems": list(problems(points)),
    "where": str(files("stats_pipeline")),
}))
"""


@dataclass(frozen=True)
class Installed:
    """What a program in the new environment sees of the package."""

    templates: list[str]
    data: list[str]
    points: list[list[str]]
    problems: list[str]
    where: str


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the checkout: building leaves files beside what it builds."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        original = CHECKOUT / name
        if original.is_dir():
            shutil.copytree(original, copy / name, ignore=NOT_SOURCE)
        else:
            shutil.copy(original, copy / name)
    return copy


@pytest.fixture(scope="module", params=WAYS)
def installed(
    request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """Install the package into an environment of its own; its dependencies come from ours."""
    folder = tmp_path_factory.mktemp("installed")
    python = _environment(folder / "environment")
    _install(python, _what_to_install(request.param, source, folder))
    return Installed(**json.loads(_run(python, "-c", LOOK, cwd=folder)))


def test_every_index_template_is_readable_as_a_resource(installed: Installed) -> None:
    """The JSON of es_templates/ is all there, in its sub-packages."""
    expected = _data_files(CHECKOUT / "es_templates")
    assert expected
    assert installed.templates == expected


def test_templates_and_static_files_of_the_pages_are_installed(installed: Installed) -> None:
    """What the package holds beside its modules is installed with them, py.typed too."""
    expected = _data_files(CHECKOUT / "stats_pipeline")
    assert "py.typed" in expected
    beside = [name for name in installed.data if not name.startswith("es_templates/")]
    assert beside == expected


def test_every_entry_point_is_listed_and_can_be_loaded(installed: Installed) -> None:
    """What pyproject.toml declares is what an installed distribution says."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    groups = {**project["entry-points"], "console_scripts": project["scripts"]}
    declared = [[group, *item] for group, items in groups.items() for item in items.items()]
    assert installed.points == sorted(declared)
    assert installed.problems == []


def test_the_package_is_read_from_where_it_was_installed(
    installed: Installed, source: Path
) -> None:
    """None of these tests looks at the checkout that runs them."""
    assert not Path(installed.where).is_relative_to(CHECKOUT)
    assert Path(installed.where).is_dir()


def _what_to_install(way: str, source: Path, folder: Path) -> list[str]:
    if way == "editable":
        return ["--no-build-isolation", "--editable", str(source)]
    # Without --wheel, the wheel is built from the sdist and not from the folder.
    kind = ["--wheel"] if way == "wheel" else []
    options = ["--no-isolation", "--outdir", str(folder), *kind]
    _run(Path(sys.executable), "-m", "build", *options, str(source), cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return [str(wheel)]


def _environment(folder: Path) -> Path:
    _run(Path(sys.executable), "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
    python = folder / "bin" / "python"
    own = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    # A folder named in a .pth file serves its packages, but its own .pth files (the checkout's
    # editable install) are not followed.
    ours = sysconfig.get_path("purelib")
    (Path(own.strip()) / "dependencies.pth").write_text(f"{ours}\n")
    return python


def _install(python: Path, what: list[str]) -> None:
    pip = ["-m", "pip", "--python", str(python), "install", "--quiet"]
    # The dependencies' folder holds a distribution of our name as well: leave that one alone.
    offline = ["--no-deps", "--no-index", "--ignore-installed", "--disable-pip-version-check"]
    _run(Path(sys.executable), *pip, *offline, *what, cwd=python.parent)


def _run(python: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [python, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _data_files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(
        path.as_posix()
        for path in found
        if path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    )
