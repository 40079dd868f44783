"""docker-compose.yml is a valid compose file, and what it leaves open is safe to leave open."""

import re
import subprocess
import sys

import pytest

from stats_pipeline.settings import from_environment, read_settings
from tests.deployment.files import CHECKOUT, OURS, compose, environment_of, image_command, service


def test_it_is_valid_by_the_schema_of_compose_files() -> None:
    """The schema is the one that the compose specification publishes."""
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", "docker-compose.yml"),
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_images_have_a_version_and_name_no_registry() -> None:
    """A later start does not bring another major version."""
    images = {service(name)["image"] for name in compose()["services"]} - {"stats_pipeline"}
    assert len(images) == 2
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d[\w.-]*", image), image


def test_every_service_says_whether_it_is_well_and_ours_wait_for_the_servers() -> None:
    """Nothing of ours starts before Elasticsearch and RabbitMQ answer."""
    for name in compose()["services"]:
        assert service(name)["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        if name in OURS:
            conditions = {w["condition"] for w in service(name)["depends_on"].values()}
            assert list(service(name)["depends_on"]) == ["elasticsearch", "rabbitmq"]
            assert conditions == {"service_healthy"}


def test_what_must_survive_is_on_volumes() -> None:
    """Both servers and the spool keep their data, each on a volume that is declared."""
    named = {
        volume.partition(":")[0]
        for name in compose()["services"]
        for volume in service(name)["volumes"]
    }
    assert named == set(compose()["volumes"]) == {"elasticsearch", "rabbitmq", "instance"}


def test_nothing_is_published_beyond_this_machine() -> None:
    """Elasticsearch has no security and is not published at all."""
    ports = [port for name in compose()["services"] for port in service(name).get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "ports" not in service("elasticsearch")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    """Defaults name the servers as compose does, and what is passed on exists."""
    assert (
        read_settings(from_environment(environment_of(name))).items()
        >= {
            "STATS_STORE_URL": "http://elasticsearch:9200",
            "STATS_BROKER_URL": "amqp://stats:stats@rabbitmq:5672//",
        }.items()
    )
    assert set(service(name)["environment"]) <= set(read_settings({}))


def test_web_runs_what_the_image_runs() -> None:
    """`docker run` of the image is the web service."""
    assert service("web")["command"] == image_command()
