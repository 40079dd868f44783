"""The blocks of code in a Markdown text, and what a session printed beside what it should."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: In a list it is indented.
_BLOCK = re.compile(r"^( *)```(\w+)(?: ([^\n]+))?\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)

#: Stands in a shown output for what is different each time: a time, an id, a folder.
VOLATILE = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what follows that, and its lines."""

    language: str
    info: str
    text: str

    @property
    def title(self) -> str | None:
        """The file that it is to be, if it says so."""
        found = re.fullmatch(r'title="(.+)"', self.info)
        return found[1] if found else None

    def write_into(self, folder: Path) -> None:
        """Make the file that it is to be."""
        assert self.title
        file = folder / self.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text)


def blocks_of(markdown: str) -> list[Block]:
    """Return the blocks with a language, in their order."""
    return [
        Block(language, info, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, info, text in _BLOCK.findall(markdown)
    ]


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console session, each with what it should print."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    found = [re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL) for part in parts]
    return [(match[1], match[2]) for match in found if match]


def is_as_shown(printed: str, shown: str) -> bool:
    """Tell whether an output is the one that is shown; the width of gaps is of no matter."""
    try:
        return _is_same_json(json.loads(printed), json.loads(shown))
    except ValueError:
        printed, shown = (re.sub(" +", " ", text.strip()) for text in (printed, shown))
        pattern = ".*?".join(map(re.escape, shown.split(VOLATILE)))
        return re.fullmatch(pattern, printed, re.DOTALL) is not None


def _is_same_json(printed: Any, shown: Any) -> bool:
    if isinstance(printed, dict) and isinstance(shown, dict):
        return printed.keys() == shown.keys() and all(
            _is_same_json(printed[key], shown[key]) for key in shown
        )
    if isinstance(printed, list) and isinstance(shown, list):
        return len(printed) == len(shown) and all(map(_is_same_json, printed, shown))
    return shown in (VOLATILE, printed)
