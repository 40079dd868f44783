"""Get what is missing: Debian packages, a Java, the Elasticsearch distribution."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.services.server import ServicesError

#: Elasticsearch 8.19 needs it.
OLDEST_JAVA = 17
ERROR_TAIL_LINES = 15


def require_debian(program: str, *packages: str) -> None:
    """Install Debian packages unless `program` (a name on the path, or a file) is there.

    Raises ServicesError that names the packages where they can't be installed.
    """
    if shutil.which(program):
        return
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise ServicesError(f"{program} is missing and there is no apt-get: install {names}")
    print(f"installing {names}", flush=True)
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update", "-q"], install):
        run([*as_root, *command], advice=f"install {names} by hand", environment=quiet)
    if not shutil.which(program):
        raise ServicesError(f"{program} is missing although {names} got installed")


def java_home() -> Path:
    """Find a Java that Elasticsearch takes: ES_JAVA_HOME, JAVA_HOME, else the one on the path."""
    if not any(os.environ.get(name) for name in ("ES_JAVA_HOME", "JAVA_HOME")):
        require_debian("java", "default-jre-headless")
    on_path = shutil.which("java")
    homes = [
        Path(os.environ[name]) for name in ("ES_JAVA_HOME", "JAVA_HOME") if os.environ.get(name)
    ]
    if on_path:
        homes.append(Path(on_path).resolve().parent.parent)
    for home in homes:
        if _java_version(home) >= OLDEST_JAVA:
            return home
    looked_at = ", ".join(str(home) for home in homes)
    raise ServicesError(
        f"Elasticsearch needs Java {OLDEST_JAVA} or newer (looked at {looked_at}): "
        f"install openjdk-{OLDEST_JAVA}-jre-headless, or set ES_JAVA_HOME"
    )


def download(artifact: str, *, folder: Path) -> None:
    """Put a Maven artifact ("group:name:version:type") into `folder` with Maven's own cache."""
    require_debian("mvn", "maven")
    command = [
        "mvn",
        "-q",
        "-B",
        "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
        f"-Dartifact={artifact}",
        f"-DoutputDirectory={folder}",
    ]
    run(command, advice="check that Maven reaches its repository")


def run(command: Sequence[str], *, advice: str, environment: dict[str, str] | None = None) -> None:
    """Run a command to its end; raise ServicesError with the end of its output if it fails."""
    try:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
    except FileNotFoundError as error:
        raise ServicesError(f"{command[0]} is missing: {advice}") from error
    except subprocess.CalledProcessError as error:
        tail = "\n".join(error.stdout.splitlines()[-ERROR_TAIL_LINES:])
        raise ServicesError(f"{' '.join(command)} failed: {advice}\n{tail}") from error


def _java_version(home: Path) -> int:
    try:
        answer = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else 0
