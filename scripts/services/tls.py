"""What a server needs that speaks TLS only, and how to ask it."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tls:
    """The PEM files of a server; whoever trusts `authority` trusts its certificate."""

    authority: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Give what a client of this server needs."""
        return ssl.create_default_context(cafile=str(self.authority))
