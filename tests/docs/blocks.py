"""The blocks of code in a Markdown text."""

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


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


def blocks_of(markdown: str) -> list[Block]:
    """Return the blocks with a language, in their order."""
    return [Block(language, info, text) for language, info, text in _BLOCK.findall(markdown)]


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console session, each with what it should print."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]
