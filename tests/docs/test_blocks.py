"""How an output is compared with the one that a page shows."""

import pytest

from tests.docs.blocks import Block, blocks_of, commands_of, is_as_shown


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a  1\nb  2\n", "a  1\nb  2\n"),
        ("id      kind\nf81d4f  x\n", "id   kind\n...  x\n"),
        ("as_of: 2026-01-31\n\nwords\n", "as_of: ...\n\nwords\n"),
        ('{"a": [1, {"as_of": "2026-01-31"}]}', '{\n  "a": [1, {"as_of": "..."}]\n}\n'),
    ],
)
def test_what_differs_in_volatile_parts_and_layout_only_is_as_shown(
    printed: str, shown: str
) -> None:
    """Dots stand for anything, gaps have any width, and JSON may be laid out for readers."""
    assert is_as_shown(printed, shown)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a  1\n", "a  2\n"),
        ("a  1\nb  2\n", "a  1\n"),
        ("", "a  1\n"),
        ('{"a": 1, "b": 2}', '{"a": 1}'),
        ('{"a": [1, 2]}', '{"a": [1]}'),
        ('{"a": 1}', '{"a": 2}'),
    ],
)
def test_what_differs_in_anything_else_is_not_as_shown(printed: str, shown: str) -> None:
    """More, less or other than what is shown is noticed."""
    assert not is_as_shown(printed, shown)


def test_a_block_in_a_list_is_one_as_well() -> None:
    """It stands there without the indentation of the list, and keeps its own."""
    markdown = "- first:\n\n  ```python\n  if True:\n      pass\n\n  ```\n\n```text\nx\n```\n"
    assert blocks_of(markdown) == [
        Block("python", "", "if True:\n    pass\n\n"),
        Block("text", "", "x\n"),
    ]


def test_a_command_may_go_over_several_lines() -> None:
    """As long as each of them but the last ends with a backslash."""
    block = Block("console", "run", "$ curl x \\\n    -d y\nanswer\n$ ls\n")
    assert commands_of(block) == [("curl x \\\n    -d y", "answer\n"), ("ls", "")]
