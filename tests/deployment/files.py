"""What docker-compose.yml and the Dockerfile say, read without Docker."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CHECKOUT = Path(__file__).parents[2]

#: The services that run our image.
OURS = ("web", "worker", "beat")

#: ${NAME:-default}, where a default may hold another one of these.
_VARIABLE = re.compile(r"\$\{\w+:-((?:\$\{[^{}]*\}|[^{}])*)\}")


def compose() -> dict[str, Any]:
    """Return docker-compose.yml as it is where no variable is set."""
    document: dict[str, Any] = YAML(typ="safe").load(CHECKOUT / "docker-compose.yml")
    return document


def service(name: str) -> dict[str, Any]:
    """Return a service of docker-compose.yml."""
    found: dict[str, Any] = compose()["services"][name]
    return found


def environment_of(name: str) -> dict[str, str]:
    """Return the variables of a service where the user has set none."""
    variables = service(name)["environment"]
    return {name: interpolate(value) for name, value in variables.items() if value is not None}


def interpolate(text: str) -> str:
    """Put the defaults where the variables are, from the outside to the inside."""
    while (replaced := _VARIABLE.sub(r"\1", text)) != text:
        text = replaced
    return text


def argv(command: list[str], replacing: Mapping[str, str]) -> list[str]:
    """Return a command, or the test of a health check, as a process here is started.

    Args:
        command: of docker-compose.yml or the Dockerfile.
        replacing: addresses and folders of a container, and what they are here.
    """
    replaced = []
    for word in command:
        text = word.replace("$$", "$")
        for there, here in replacing.items():
            text = text.replace(there, here)
        replaced.append(text)
    if replaced[0] == "CMD-SHELL":
        return ["sh", "-c", *replaced[1:]]
    return replaced[1:] if replaced[0] == "CMD" else replaced


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its arguments."""
    text = (CHECKOUT / "Dockerfile").read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    parts = [line.partition(" ") for line in lines if line.strip()]
    return [(instruction, arguments.strip()) for instruction, _, arguments in parts]


def image_command() -> list[str]:
    """Return what the image runs where nothing else is asked for."""
    command: list[str] = json.loads(dict(dockerfile())["CMD"])
    return command


def copied_sources() -> list[str]:
    """Return what the Dockerfile copies from the checkout."""
    copies = [words.split() for name, words in dockerfile() if name == "COPY"]
    return [word for words in copies if not words[0].startswith("--from") for word in words[:-1]]
