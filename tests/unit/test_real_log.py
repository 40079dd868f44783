"""Tests on the real log are left out only where nobody has promised that it is there."""

from pathlib import Path

import pytest

from tests.real_log import VARIABLE, find_real_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a log and its facts."""
    (tmp_path / "access_combined.log.gz").write_bytes(b"")
    (tmp_path / "access_combined.facts.json").write_text('{"lines": 0}')
    return tmp_path


def test_a_folder_that_is_named_is_used(folder: Path) -> None:
    """Wherever it is, and whatever lies beside the checkout."""
    log = find_real_log(str(folder), beside=folder / "nothing")
    assert (log.path.parent, log.facts) == (folder, {"lines": 0})


def test_beside_the_checkout_it_needs_no_name(folder: Path) -> None:
    """An empty variable is none."""
    assert find_real_log(None, beside=folder) == find_real_log("", beside=folder)


def test_where_it_is_not_a_test_is_skipped_and_says_how_to_give_it(tmp_path: Path) -> None:
    """It is no fault of a fresh clone."""
    with pytest.raises(pytest.skip.Exception, match=VARIABLE):
        find_real_log(None, beside=tmp_path)


@pytest.mark.parametrize("missing", ["access_combined.log.gz", "access_combined.facts.json"])
def test_where_it_was_promised_and_is_not_a_test_fails(folder: Path, missing: str) -> None:
    """As in CI, where a test that is skipped would be one that nobody misses."""
    (folder / missing).unlink()
    with pytest.raises(pytest.fail.Exception, match=str(folder)):
        find_real_log(str(folder))
