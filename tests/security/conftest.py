"""Servers with TLS, users and least rights, as docs/deployment.md describes them."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from scripts.services import Security, Tls, start_elasticsearch, start_rabbitmq
from scripts.services.elasticsearch import remove_elasticsearch
from tests.deployment.users import PAGE, make_broker_users
from tests.docs.blocks import blocks_of
from tests.services import PrivateServer
from tests.support import Backend

#: All servers of this folder's tests are shared, and so is the prefix that their users may use.
PREFIX = "secured-"

#: Of all users; it stands in a URL with escapes.
PASSWORD = "Sesame/Open@%"
ESCAPED_PASSWORD = "Sesame%2FOpen%40%25"

#: What may be seen nowhere: the password in any form, and half of it.
FORBIDDEN = ("Sesame", "Open%40", "Open@", b64encode(f"stats-worker:{PASSWORD}".encode()).decode())


@dataclass(frozen=True)
class Secured:
    """Two servers that want TLS and a password, and what it takes to trust them."""

    authority: Path
    store: str
    broker: str

    def backend(self, user: str, *, password: str = ESCAPED_PASSWORD) -> Backend:
        """Give the place to run in for this user."""
        return Backend(
            f"https://{user}:{password}@{self.store}", f"amqps://{user}:{password}@{self.broker}//"
        )


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Give the certificate of a server at 127.0.0.1, not of "localhost", by our own authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    tls = Tls(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(tls.authority)
    certificate.private_key_pem.write_to_path(tls.key)
    tls.certificate.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    return tls


def page_roles() -> str:
    """Return the `roles.yml` of docs/deployment.md, for the prefix of these tests."""
    (block,) = [block for block in blocks_of(PAGE.read_text()) if block.language == "yaml"]
    return block.text.replace("PREFIX-", PREFIX)


@pytest.fixture(scope="module")
def secured(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Give both servers, with the users and rights of the page and TLS only."""
    folder = tmp_path_factory.mktemp("servers")
    users = {
        "stats-worker": (PASSWORD, "stats-worker"),
        "stats-web": (PASSWORD, "stats-web"),
        "nobody": (PASSWORD, "no-such-role"),
    }
    security = Security(tls, page_roles(), users)
    broker = PrivateServer(partial(start_rabbitmq, tls=tls), folder / "rabbitmq")
    try:
        make_broker_users(folder / "rabbitmq", PREFIX, web=PASSWORD, worker=PASSWORD)
        store = PrivateServer(
            partial(start_elasticsearch, security=security), folder / "elasticsearch"
        )
        try:
            yield Secured(tls.authority, _address(store), _address(broker))
        finally:
            store.kill()
            remove_elasticsearch(folder / "elasticsearch")
    finally:
        broker.kill()


def assert_no_password(said: str) -> None:
    """Check that the password is in it in no form."""
    for form in FORBIDDEN:
        assert form not in said


def _address(server: PrivateServer) -> str:
    return urlsplit(server.url).netloc.rpartition("@")[2]
