"""Each line of the table on docs/guarantees.md names tests, and these exist."""

import ast
import re

from tests.docs.conftest import CHECKOUT, page


def table_below(heading: str) -> dict[str, str]:
    """Return the rows of the first table below a heading: first cell -> the others."""
    (_, below) = page("docs/guarantees.md").split(f"\n## {heading}\n")
    lines = re.findall(r"^\| (.+?) \| (.+) \|$", below.split("\n## ")[0], re.MULTILINE)
    assert lines[1][0] == "---"
    return dict(lines[2:])


def test_each_line_of_the_table_is_proved_by_tests_that_exist() -> None:
    """What happens is the same in both tables, in the same order."""
    proofs = table_below("What proves it")
    assert list(proofs) == list(table_below("What is lost at most"))
    for happens, named in proofs.items():
        names = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", named)
        assert names, happens
        assert named == ", ".join(f"`{file}::{name}`" for file, name in names)
        for file, name in names:
            module = ast.parse((CHECKOUT / file).read_text())
            defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
            assert name in defined, f"{file} has no {name}"


def test_most_lines_are_proved_by_killing_processes_and_stopping_servers() -> None:
    """As the README says: the others are left to tests of smaller parts."""
    proofs = table_below("What proves it").values()
    assert sum("tests/faults/" in named for named in proofs) > len(proofs) / 2
