"""A month of made-up traffic, the same for the same seed: people, robots and impatient fingers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from stats_pipeline.demo.host import Record, catalogue

DOWNLOAD = "file-download"
VIEW = "record-view"

#: A month that has passed on every clock, so that the numbers are the same on every day.
MONTH_START = datetime(2025, 6, 1, tzinfo=UTC)
MONTH_DAYS = 30

ROBOT_SHARE = 0.12
REPEAT_CLICK_SHARE = 0.08
REDELIVERED_SHARE = 0.02
DOWNLOAD_SHARE = 0.4
SIGNED_IN_SHARE = 0.2
CLICKS_PER_PERSON = 12
ROBOTS = 30

#: How busy a day of the week is (Monday first), and an hour of the day.
DAY_WEIGHTS = (10, 11, 11, 10, 9, 5, 4)
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 11, 9, 10, 11, 11, 10, 9, 7, 7, 7, 6, 5, 3)
LONGEST_REPEAT_SECONDS = 9.5

PEOPLE_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:139.0) Gecko/20100101 Firefox/139.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/137.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/18.5 Safari/605.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
)
ROBOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "curl/8.14.1",
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Be who clicks; a person without `user_id` is known by address and agent."""

    address: str
    agent: str
    user_id: str | None
    is_robot: bool


@dataclass(frozen=True, slots=True)
class Click:
    """Be one view or download, as the host sees it."""

    event_type: str
    event_id: str
    at: datetime
    visitor: Visitor
    record: Record


@dataclass(frozen=True, slots=True)
class Traffic:
    """Be what is sent.

    Attributes:
        clicks: in order of time.
        redelivered: some of them, which the network delivers once more.
    """

    clicks: Sequence[Click]
    redelivered: Sequence[Click]


def make_traffic(events: int, *, seed: int) -> Traffic:
    """Return traffic of exactly so many events."""
    chance = random.Random(seed)  # noqa: S311 - nothing is to be kept secret here
    redelivered = round(events * REDELIVERED_SHARE)
    repeated = round(events * REPEAT_CLICK_SHARE)
    clicks = _first_clicks(events - redelivered - repeated, chance)
    for number, click in enumerate(chance.sample(clicks, repeated)):
        seconds = chance.uniform(0.2, LONGEST_REPEAT_SECONDS)
        at = click.at + timedelta(seconds=seconds)
        clicks.append(replace(click, event_id=f"repeat-{number}", at=at))
    clicks.sort(key=lambda click: click.at)
    return Traffic(clicks, chance.sample(clicks, redelivered))


def _first_clicks(number: int, chance: random.Random) -> list[Click]:
    records = catalogue()
    # The n-th record is asked for 1/n as often as the first.
    popularity = [1 / rank for rank in range(1, len(records) + 1)]
    people = _people(max(1, round(number / CLICKS_PER_PERSON)), chance)
    robots = [_robot(n) for n in range(ROBOTS)]
    times = _times(number, chance)
    asked_for = chance.choices(records, popularity, k=number)
    return [
        Click(
            event_type=DOWNLOAD if chance.random() < DOWNLOAD_SHARE else VIEW,
            event_id=f"click-{n}",
            at=at,
            visitor=chance.choice(robots if chance.random() < ROBOT_SHARE else people),
            record=record,
        )
        for n, (at, record) in enumerate(zip(times, asked_for, strict=True))
    ]


def _times(number: int, chance: random.Random) -> list[datetime]:
    days = [MONTH_START + timedelta(days=day) for day in range(MONTH_DAYS)]
    weights = [DAY_WEIGHTS[day.weekday()] for day in days]
    hours = chance.choices(range(24), HOUR_WEIGHTS, k=number)
    # A little before the end of the hour, so that a repeated click is still in the month.
    seconds = [chance.uniform(0, 3600 - LONGEST_REPEAT_SECONDS) for _ in range(number)]
    return [
        day + timedelta(hours=hour, seconds=second)
        for day, hour, second in zip(
            chance.choices(days, weights, k=number), hours, seconds, strict=True
        )
    ]


def _people(number: int, chance: random.Random) -> list[Visitor]:
    # 198.18.0.0/15 belongs to nobody: it is set aside for tests.
    return [
        Visitor(
            address=f"198.18.{n // 250 % 250}.{n % 250 + 1}",
            agent=chance.choice(PEOPLE_AGENTS),
            user_id=f"user-{n}" if chance.random() < SIGNED_IN_SHARE else None,
            is_robot=False,
        )
        for n in range(number)
    ]


def _robot(number: int) -> Visitor:
    agent = ROBOT_AGENTS[number % len(ROBOT_AGENTS)]
    return Visitor(f"198.19.0.{number + 1}", agent, user_id=None, is_robot=True)
