"""What comes from queues, files, the environment and the host is bounded, and never executed."""

import gzip
import json
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner

from stats_pipeline.cli.script import script
from stats_pipeline.contrib.access_log.parser import LONGEST_LINE_BYTES
from stats_pipeline.contrib.access_log.reading import open_log
from stats_pipeline.contrib.invenio_stats.event_import import MOST_UNKNOWN_FIELDS
from stats_pipeline.errors import DefinitionError, InvalidEvent
from stats_pipeline.events.chain import ChainContext, running_in
from stats_pipeline.events.drain import KEPT_BYTES
from stats_pipeline.events.envelope import DEEPEST_NESTING, LARGEST_EVENT_BYTES
from stats_pipeline.events.messages import LARGEST_MESSAGE_BYTES
from stats_pipeline.events.preprocessors import flag_robots
from stats_pipeline.events.preprocessors.flag_agents import LONGEST_AGENT
from stats_pipeline.settings import from_environment
from stats_pipeline.templates import load_template
from tests.security.pickles import pickle_that_makes
from tests.support import Backend, MakePipeline, stored_events

EVENT = {"bucket_id": "1", "file_id": "f", "file_key": "f.txt", "size": 1, "user_agent": "x"}


def test_a_pickle_in_an_event_queue_is_a_dead_letter_and_is_not_unpickled(
    backend: Backend, make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    """Neither alone nor inside of JSON, on both queues; the event beside it is counted."""
    made = tmp_path / "made"
    pickle.loads(pickle_that_makes(made))
    assert made.exists(), "it does what it should where somebody unpickles it"
    made.unlink()
    pipeline = make_pipeline(backend)
    queue_name = pipeline.registries.event_type("file-download").queue_name
    bomb = pickle_that_makes(made)
    wrapped = json.dumps({"events": [{"py/reduce": bomb.hex(), "__reduce__": 1}]}).encode()
    pipeline.queue.publish(queue_name, [bomb, wrapped])
    pipeline.publish("file-download", [EVENT])
    report = pipeline.process_events()
    assert (report.indexed, report.dead) == (1, 2)
    assert not made.exists()
    letters = {letter.kind: letter for letter in pipeline.dead_letters.list()}
    assert letters.keys() == {"undecodable", "invalid"}
    assert pickle.PROTO.decode("latin-1") not in letters["undecodable"].error


def test_a_message_that_is_too_large_to_be_ours_is_a_short_dead_letter(
    backend: Backend, make_pipeline: MakePipeline
) -> None:
    """It is not even parsed, its letter fits into the store, and the rest goes on."""
    pipeline = make_pipeline(backend)
    queue_name = pipeline.registries.event_type("file-download").queue_name
    huge = b'{"events": ["%b"]}' % (b"\xff" * LARGEST_MESSAGE_BYTES)
    pipeline.queue.publish(queue_name, [huge])
    pipeline.publish("file-download", [EVENT])
    report = pipeline.process_events()
    assert (report.indexed, report.dead, report.error) == (1, 1, "")
    (letter,) = pipeline.dead_letters.list()
    assert letter.kind == "undecodable"
    assert f"{len(huge):,} bytes" in letter.error
    assert len(letter.event) <= 4 * KEPT_BYTES


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({**EVENT, "referrer": "x" * LARGEST_EVENT_BYTES}, "up to 1,000,000 bytes"),
        ({**EVENT, "x": json.loads("[" * 60 + "]" * 60)}, f"{DEEPEST_NESTING} levels deep"),
        ({f"field{n}": n for n in range(60_000)}, "up to 1,000,000 bytes"),
    ],
)
def test_an_event_is_bounded_where_it_is_published(
    embedded: Backend, make_pipeline: MakePipeline, event: dict[str, object], said: str
) -> None:
    """By size, nesting and so by its number of fields; the host is told at once."""
    with pytest.raises(InvalidEvent, match=said):
        make_pipeline(embedded).publish("file-download", [event])


@pytest.mark.parametrize(
    "extra",
    [
        {"referrer": "x" * 3_900_000},
        {"referrer": "\u0436" * 700_000},
        {f"field{n}": n for n in range(100_000)},
    ],
    ids=["text", "short in UTF-8", "fields"],
)
def test_an_event_of_others_is_bounded_where_it_is_processed(
    backend: Backend, make_pipeline: MakePipeline, extra: dict[str, object]
) -> None:
    """It becomes a dead letter, as a whole; replay says why it can't be put back, and it stays."""
    pipeline = make_pipeline(backend)
    event = {"event_id": "large", "timestamp": "2016-12-18T10:00:00Z", **EVENT, **extra}
    body = json.dumps({"events": [event]}, ensure_ascii=False).encode()
    pipeline.queue.publish(pipeline.registries.event_type("file-download").queue_name, [body])
    pipeline.publish("file-download", [EVENT])
    report = pipeline.process_events()
    assert (report.indexed, report.dead, report.error) == (1, 1, "")
    (letter,) = pipeline.dead_letters.list()
    assert (letter.kind, letter.event) == ("invalid", event)
    assert "up to 1,000,000 bytes" in letter.error
    replayed = pipeline.dead_letters.replay()
    assert replayed == 0
    assert replayed.kept == {"larger than an event may be (1,000,000 bytes as JSON)": 1}
    assert pipeline.dead_letters.list() == [letter]


def test_a_field_that_no_template_names_reaches_no_index(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """However many there are; the error that is kept of them is short."""
    pipeline = make_pipeline(embedded)
    pipeline.publish("file-download", [{**EVENT, **{f"field{n}": n for n in range(10_000)}}])
    assert pipeline.process_events().dead == 1
    assert not stored_events(pipeline)
    (letter,) = pipeline.dead_letters.list()
    assert len(letter.error) <= 2_000


def test_only_the_beginning_of_an_agent_is_looked_at(
    embedded: Backend, make_pipeline: MakePipeline
) -> None:
    """Hundreds of expressions over a megabyte, and a memory of them, would be a way to attack."""
    pipeline = make_pipeline(embedded)
    definition = pipeline.registries.event_type("file-download")
    with running_in(ChainContext.of(definition, pipeline.store.state, pipeline.clock)):
        assert flag_robots({"user_agent": "x" * 10 + "Googlebot"})["is_robot"]
        assert not flag_robots({"user_agent": "x" * LONGEST_AGENT + "Googlebot"})["is_robot"]


def test_a_gzip_bomb_is_read_in_constant_memory(tmp_path: Path) -> None:
    """A line of 200 MB in a file of 200 kB: no more of it than a line may have is kept."""
    bomb = tmp_path / "access.log.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(bytes(1_000_000))
        file.write(b"\nlast\n")
    with open_log(str(bomb)) as log:
        lines = [(number, len(line)) for number, line in log.lines()]
    assert lines[-1] == (2, 4)
    assert lines[0][1] <= LONGEST_LINE_BYTES + 2


@pytest.mark.parametrize("command", [["events", "import-log"], ["migrate", "invenio-events", "x"]])
def test_a_file_of_anything_is_refused_in_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros, damaged gzip, JSON that is nested to no end."""
    monkeypatch.chdir(tmp_path)
    arguments = ["access-log" if word == "x" else word for word in command]
    for content in (bytes(300_000), b"\x1f\x8b" + bytes(100), b"[" * 60_000 + b"\n"):
        Path("file").write_bytes(content)
        result = CliRunner().invoke(script, [*arguments, "--dry-run", "file"])
        assert result.exit_code in (0, 2), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert len(result.output) < 2_000


def test_an_export_with_any_number_of_field_names_is_counted_in_constant_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first names are enough to see what is wrong."""
    monkeypatch.chdir(tmp_path)
    lines = (
        json.dumps({"timestamp": "2016-12-18", **{f"x{line}-{n}": 1 for n in range(200)}})
        for line in range(20)
    )
    Path("export").write_text("\n".join(lines))
    arguments = ["migrate", "invenio-events", "file-download", "--dry-run", "--json", "export"]
    result = CliRunner().invoke(script, arguments)
    assert result.exit_code == 2
    counts = json.loads(result.stdout)
    assert (counts["refused"], len(counts["unknown_fields"])) == (20, MOST_UNKNOWN_FIELDS)


def test_json_that_is_nested_to_no_end_is_text_in_the_environment_and_no_template(
    tmp_path: Path,
) -> None:
    """The parser gives up on it with an error of its own, which is none of the operator's."""
    nested = "[" * 100_000
    assert from_environment({"STATS_EVENTS": nested}) == {"STATS_EVENTS": nested}
    (tmp_path / "x.json").write_text(nested)
    with pytest.raises(DefinitionError, match="is not the body of a composable index template"):
        load_template(str(tmp_path), ["x"], owner="test")
