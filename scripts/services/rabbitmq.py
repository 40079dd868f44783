"""A private RabbitMQ node: own name, ports, data, cookie and port mapper.

It shares nothing with a broker that the Debian package may run for the whole machine.
"""

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from scripts.services.install import require_debian
from scripts.services.server import Server, free_ports, load, spawn, wait_until
from scripts.services.tls import Tls

#: The script behind Debian's wrapper; the wrapper insists on the user "rabbitmq".
SERVER_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PORT_MAPPER = "/usr/bin/epmd"
#: What a client says first; every AMQP 0-9-1 broker that is ready answers with a frame.
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
ANSWER_TIMEOUT_SECONDS = 5


def install_rabbitmq() -> None:
    """Install Debian's broker if it is missing."""
    require_debian(SERVER_SCRIPT, "rabbitmq-server")


def start_rabbitmq(folder: Path, *, tls: Tls | None = None, configuration: str = "") -> Server:
    """Start a node with its data in `folder` and return when it takes connections.

    Started again on the same folder, it has the same url and its data. With `tls`, it takes no
    others. `configuration` are more lines of its rabbitmq.conf.
    """
    install_rabbitmq()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    before = load(folder)
    if before is not None:
        before.stop()
    distribution_port, mapper_port, port = free_ports(3)
    if before is not None:
        port = urlsplit(before.url).port or port
    # A laptop with a nearly full disk must not block its publishers.
    lines = f"{_listeners(port, tls)}disk_free_limit.absolute = 50MB\n{configuration}\n"
    environment = _environment(
        folder, lines, port=port, distribution_port=distribution_port, mapper_port=mapper_port
    )
    log = folder / "console.log"
    mapper = spawn(
        [PORT_MAPPER, "-port", str(mapper_port), "-address", "127.0.0.1"],
        environment=environment,
        log=log,
    )
    # The node would start a port mapper that outlives it, unless one answers already.
    wait_until(lambda: _listens(mapper_port), timeout_seconds=ANSWER_TIMEOUT_SECONDS)
    node = spawn([SERVER_SCRIPT], environment=environment, log=log, group=mapper.pid)
    server = Server(
        name="RabbitMQ",
        url=f"{'amqps' if tls else 'amqp'}://guest:guest@127.0.0.1:{port}//",
        log=str(log),
        processes=(mapper, node),
    )
    server.save(folder)
    server.wait_until_healthy(lambda: is_rabbitmq_healthy(server.url, tls))
    return server


def is_rabbitmq_healthy(url: str, tls: Tls | None = None) -> bool:
    """Say whether a broker answers an AMQP client at `url`."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    try:
        with socket.create_connection(
            (host, parts.port or 5672), timeout=ANSWER_TIMEOUT_SECONDS
        ) as connection:
            if tls is None:
                return _greets(connection)
            with tls.context().wrap_socket(connection, server_hostname=host) as secured:
                return _greets(secured)
    except OSError:
        return False


def _greets(connection: socket.socket | ssl.SSLSocket) -> bool:
    connection.sendall(AMQP_GREETING)
    # 1 is the type of a method frame; a broker that refuses says "AMQP" instead.
    return connection.recv(1) == b"\x01"


def _listeners(port: int, tls: Tls | None) -> str:
    if tls is None:
        return f"listeners.tcp.1 = 127.0.0.1:{port}\n"
    return (
        "listeners.tcp = none\n"
        f"listeners.ssl.1 = 127.0.0.1:{port}\n"
        f"ssl_options.cacertfile = {tls.authority}\n"
        f"ssl_options.certfile = {tls.certificate}\n"
        f"ssl_options.keyfile = {tls.key}\n"
    )


def _environment(
    folder: Path, lines: str, *, port: int, distribution_port: int, mapper_port: int
) -> dict[str, str]:
    # Everything that the Debian package would else read from /etc/rabbitmq is our own.
    configuration = folder / "rabbitmq.conf"
    configuration.write_text(lines)
    plugins = folder / "enabled_plugins"
    plugins.write_text("[].\n")
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper_port),
        "RABBITMQ_NODENAME": f"stats-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        # What a killed node leaves for experts would else lie where it was started.
        "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} -mnesia core_dir false"
        ),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_PID_FILE": str(folder / "node.pid"),
    }


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True
