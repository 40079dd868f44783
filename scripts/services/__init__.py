"""Start and stop the real servers that the tests need: a private RabbitMQ node and Elasticsearch.

Standard library only, so that it runs before anything is installed. On the command line:
`python3 -m scripts.services up|down|status|run COMMAND...`. Tests import `start_rabbitmq` and
`start_elasticsearch` for servers of their own.
"""

from scripts.services.elasticsearch import Security, start_elasticsearch
from scripts.services.rabbitmq import start_rabbitmq
from scripts.services.server import Server, ServicesError
from scripts.services.tls import Tls

__all__ = ["Security", "Server", "ServicesError", "Tls", "start_elasticsearch", "start_rabbitmq"]
