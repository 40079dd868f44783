"""A private Elasticsearch: the genuine server with its core modules, on one node.

The distribution comes from Maven (its makers publish it there for integration tests).
"""

import base64
import os
import secrets
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scripts.services.install import download, java_home, run
from scripts.services.server import Server, free_ports, load, spawn
from scripts.services.tls import Tls

VERSION = "8.19.8"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
ARCHIVE = f"elasticsearch-{VERSION}.zip"
DOWNLOADS = Path(__file__).parents[2] / ".services" / "downloads"
#: Elasticsearch refuses to run as root; this user exists everywhere and owns nothing.
UNPRIVILEGED_USER = "nobody"
ANSWER_TIMEOUT_SECONDS = 5
SETTINGS = """\
cluster.name: stats-tests
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport_port}
path.data: {home}/data
path.logs: {home}/logs
# A laptop with a nearly full disk must not make its indices read-only.
cluster.routing.allocation.disk.threshold_enabled: false
"""
OPEN_TO_ALL = "xpack.security.enabled: false\n"
SECURED = """\
xpack.security.enabled: true
xpack.security.autoconfiguration.enabled: false
xpack.security.authc.realms.file.tests.order: 0
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.certificate: certificate.pem
xpack.security.http.ssl.key: key.pem
"""
#: Who starts a server with security may do everything there.
SUPERUSER = "stats-tests"


@dataclass(frozen=True)
class Security:
    """How a node is secured: by TLS, and by users with roles.

    Attributes:
        tls: its certificate.
        roles: the text of `roles.yml`.
        users: name -> password and role, beside a superuser whose password is made at the start.
    """

    tls: Tls
    roles: str
    users: Mapping[str, tuple[str, str]]


def install_elasticsearch() -> None:
    """Get the distribution and a Java if they are missing."""
    java_home()
    if not zipfile.is_zipfile(DOWNLOADS / ARCHIVE):
        download(ARTIFACT, folder=DOWNLOADS)


def start_elasticsearch(folder: Path, *, security: Security | None = None) -> Server:
    """Start a node with its data in `folder` and return when it is healthy.

    Started again on the same folder, it has the same url and its data. With `security`, the url is
    that of its superuser.
    """
    install_elasticsearch()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    before = load(folder)
    if before is not None:
        before.stop()
    home = _home(folder)
    transport_port, port = free_ports(2)
    if before is not None:
        port = urlsplit(before.url).port or port
    settings = SETTINGS.format(port=port, transport_port=transport_port, home=home)
    extra = OPEN_TO_ALL if security is None else SECURED
    (home / "config" / "elasticsearch.yml").write_text(settings + extra)
    scheme, user = ("http", "") if security is None else ("https", _secure(home, security))
    command = [str(home / "bin" / "elasticsearch")]
    if os.geteuid() == 0:
        command = _as_unprivileged_user(command, home)
    log = folder / "console.log"
    server = Server(
        name="Elasticsearch",
        url=f"{scheme}://{user}127.0.0.1:{port}",
        log=str(log),
        processes=(spawn(command, environment=_environment(home), log=log),),
    )
    server.save(folder)
    tls = None if security is None else security.tls
    server.wait_until_healthy(lambda: is_elasticsearch_healthy(server.url, tls))
    return server


def remove_elasticsearch(folder: Path) -> None:
    """Remove a stopped node's program and data, also what lies outside of its folder."""
    home = folder / "home"
    if home.exists():
        shutil.rmtree(home.resolve().parent)
    shutil.rmtree(folder, ignore_errors=True)


def is_elasticsearch_healthy(url: str, tls: Tls | None = None) -> bool:
    """Say whether a cluster answers at `url` and has all its primary shards."""
    scheme, _, rest = url.rstrip("/").partition("://")
    user, _, address = rest.rpartition("@")
    question = urllib.request.Request(
        f"{scheme}://{address}/_cluster/health?wait_for_status=yellow&timeout=1s"
    )
    if user:
        question.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    context = None if tls is None else tls.context()
    try:
        with urllib.request.urlopen(
            question, timeout=ANSWER_TIMEOUT_SECONDS, context=context
        ) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _home(folder: Path) -> Path:
    """Give the folder of this node's program, configuration and data; unpack it if it is new."""
    link = folder / "home"
    if link.exists():
        return link.resolve()
    if os.geteuid() == 0 and not _is_open_to_all(folder):
        # Under root's own folder, or a test's: the unprivileged user could not even enter.
        home = Path(tempfile.mkdtemp(prefix="stats-elasticsearch-", dir="/var/tmp"))
    else:
        home = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    with zipfile.ZipFile(DOWNLOADS / ARCHIVE) as archive:
        for item in archive.infolist():
            unpacked = archive.extract(item, home)
            mode = item.external_attr >> 16
            if mode and not item.is_dir():
                Path(unpacked).chmod(mode & 0o777)
    unpacked_home = home / f"elasticsearch-{VERSION}"
    (unpacked_home / "tmp").mkdir()
    link.symlink_to(unpacked_home)
    return unpacked_home


def _secure(home: Path, security: Security) -> str:
    """Configure users, roles and certificate; return name and password as they stand in a url."""
    config = home / "config"
    shutil.copy(security.tls.certificate, config / "certificate.pem")
    shutil.copy(security.tls.key, config / "key.pem")
    (config / "roles.yml").write_text(security.roles)
    for file in ("users", "users_roles"):
        (config / file).write_text("")
    password = secrets.token_hex(16)
    for name, (word, role) in {**security.users, SUPERUSER: (password, "superuser")}.items():
        run(
            [str(home / "bin" / "elasticsearch-users"), "useradd", name, "-p", word, "-r", role],
            advice="see its message",
            environment=_environment(home),
        )
    return f"{SUPERUSER}:{password}@"


def _is_open_to_all(folder: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents))


def _as_unprivileged_user(command: list[str], home: Path) -> list[str]:
    run(["chown", "-R", UNPRIVILEGED_USER, str(home.parent)], advice="check the file system")
    identity = ["--reuid", UNPRIVILEGED_USER, "--regid", "nogroup", "--clear-groups"]
    return ["/usr/bin/setpriv", *identity, "--", *command]


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "ES_JAVA_HOME": str(java_home()),
        "ES_JAVA_OPTS": "-Xms1g -Xmx1g",
        "ES_TMPDIR": str(home / "tmp"),
    }
