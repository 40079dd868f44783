"""Addresses with passwords: from the environment or from files, and never shown in full."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_pipeline.errors import ConfigurationError
from stats_pipeline.settings import from_environment, read_settings
from stats_pipeline.urls import LONGEST_SECRET_BYTES, SecretUrl, without_password

SCHEMES = {"STATS_STORE_URL": "https", "STATS_BROKER_URL": "amqps"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:guest@localhost:5672//", "amqp://guest:***@localhost:5672//"),
        ("https://me:p@ss:word@es:9200", "https://me:***@es:9200"),
        ("https://me:p%40ss%2Fword@es:9200", "https://me:***@es:9200"),
        ("amqp://me:not/escaped?#@es:5672//", "amqp://me:***@es:5672//"),
        ("me:secret@es:9200", "me:***@es:9200"),
        ("https://token@es:9200", "https://***@es:9200"),
        ("http://localhost:9200", "http://localhost:9200"),
        ("https://es:9200/?api_key=abc&d%20f", "https://es:9200/?api_key=***&***"),
        ("amqps://me:secret@es:5671//?key=abc", "amqps://me:***@es:5671//?key=***"),
        ("sqlite:////var/lib/stats.db", "sqlite:////var/lib/stats.db"),
        ("http://[me:secret", "http://***"),
        ("amqp://me:secret", "amqp://***"),
        ("redis://", "redis://"),
        ("secret", "***"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    """Reports and errors show where a server is, and who asks, at most."""
    assert without_password(url) == shown
    assert repr(SecretUrl(url)) == repr(shown)
    assert SecretUrl(url) == url, "what connects gets all of it"


@given(st.text(min_size=1).map(lambda text: f"Sesame{text}Open"))
def test_no_password_is_shown_however_odd_it_is(password: str) -> None:
    """Passwords hold slashes, at signs and brackets, and are pasted without being escaped."""
    shown = without_password(f"amqps://me:{password}@broker.example:5671//")
    assert "Sesame" not in shown
    assert "Open" not in shown


@pytest.mark.parametrize("name", SCHEMES)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    """As Docker and Kubernetes hand them over: a file that holds the value and a line end."""
    url = f"{SCHEMES[name]}://me:p%2Fw@server:1234"
    file = tmp_path / "secret"
    file.write_text(f"{url}\n")
    values = read_settings(from_environment({f"{name}_FILE": str(file)}))
    assert values[name] == url
    assert "p%2Fw" not in repr(values)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * (LONGEST_SECRET_BYTES + 1), "is longer than"),
    ],
)
def test_a_file_without_a_secret_is_one_line_that_names_variable_and_file(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    """Nobody starts a worker on a default because a file was not mounted."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        from_environment({f"{name}_FILE": str(file)})
    assert str(caught.value).startswith(f"{name}_FILE: {file} {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_secret_in_both_ways_is_refused(name: str, tmp_path: Path) -> None:
    """Which of the two is meant can't be guessed, and neither is shown."""
    with pytest.raises(ConfigurationError) as caught:
        from_environment({name: "amqp://me:Sesame@a", f"{name}_FILE": str(tmp_path)})
    assert str(caught.value) == f"{name} and {name}_FILE are both set; unset one of them"


def test_only_secrets_come_from_files() -> None:
    """Another setting's file is an unknown setting, as any other mistake."""
    with pytest.raises(ConfigurationError, match="STATS_INDEX_PREFIX"):
        read_settings(from_environment({"STATS_INDEX_PREFIX_FILE": "prefix"}))


@pytest.mark.parametrize(
    "url",
    ["ftp://me:Sesame@host", "http://[me:Sesame@host", "me:Sesame@host", "Sesame", "https:Sesame"],
)
@pytest.mark.parametrize("name", SCHEMES)
def test_the_message_about_a_wrong_url_shows_no_password(name: str, url: str) -> None:
    """Messages end in logs, and half of a URL may be a password."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings({name: url})
    assert "Sesame" not in str(caught.value)
    assert "expected a complete URL" in str(caught.value)
