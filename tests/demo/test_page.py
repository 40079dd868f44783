"""The page with the charts, in a real browser."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.demo.conftest import Served

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1200,1000",
]
PNG = b"\x89PNG\r\n\x1a\n"


def _browse(profile: Path, url: str, *what: str) -> str:
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium", pytrace=False)
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", *what, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return str(done.stdout)


def test_the_page_shows_a_bar_for_each_day_and_the_total(served: Served, tmp_path: Path) -> None:
    """What the browser has made of it has 30 bars of one sum, the total that was printed."""
    page = _browse(tmp_path, served.page, "--dump-dom")
    chart = page.split('<svg class="chart"')[1].split("</svg>")[0]
    bars = re.findall(r"<title>Day 2025-06-\d\d: ([\d,]+)</title>", chart)
    assert chart.count('class="bar"') == len(bars) == 30
    counted = served.output.split("= counted")[1].split()[0]
    assert f'<p class="total">{counted}</p>' in page
    assert sum(int(bar.replace(",", "")) for bar in bars) == int(counted.replace(",", ""))
    assert "report-0001.pdf" in page


def test_the_page_can_be_painted(served: Served, tmp_path: Path) -> None:
    """The browser makes a picture of it that is not blank."""
    picture = tmp_path / "page.png"
    _browse(tmp_path / "profile", served.page, f"--screenshot={picture}")
    content = picture.read_bytes()
    assert content.startswith(PNG)
    # A blank page of this size has some 5 kB.
    assert len(content) > 20_000
