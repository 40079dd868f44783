"""What RabbitMQ's refusals mean: try again later, or an operator must act."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed, PreconditionFailed
from kombu.exceptions import OperationalError

from stats_pipeline.errors import MessageRefused, QueueError, QueueRefused, QueueUnavailable


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Let what the client raises leave as a `QueueError` that names the server."""
    try:
        yield
    except (AMQPError, OperationalError, OSError) as error:
        raise _translate(error, server) from error


def _translate(error: Exception, server: str) -> QueueError:
    reason = " ".join(str(getattr(error, "reply_text", None) or error).split())
    if isinstance(error, PreconditionFailed) and "inequivalent" in reason:
        return QueueRefused(
            f"RabbitMQ at {server} has this queue or exchange with other arguments ({reason}): let "
            "the workers empty it, delete it, and it is declared anew"
        )
    if isinstance(error, PreconditionFailed) and "message size" in reason:
        return MessageRefused(
            f"RabbitMQ at {server} takes no message of this size ({reason}): raise its setting "
            "max_message_size, or the limit of its policy, to 4 MB"
        )
    if isinstance(error, AccessRefused | NotAllowed):
        return QueueRefused(
            f"RabbitMQ at {server} refuses ({reason}): check the user, the password, the virtual "
            "host, and the user's rights there to configure, write and read"
        )
    if isinstance(error, ssl.SSLError):
        return QueueRefused(
            f"There is no secure connection to RabbitMQ at {server} ({reason}): check the address "
            "and the certificate, and name its authority in the environment variable "
            "SSL_CERT_FILE if it is your own"
        )
    why = "no answer in time" if isinstance(error, TimeoutError) else reason
    return QueueUnavailable(
        f"RabbitMQ at {server} does not answer ({why}): is it running, and is the address right?"
    )
