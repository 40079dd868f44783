"""The queue on RabbitMQ."""

from stats_pipeline.queues.amqp.queue import AmqpQueue

__all__ = ["AmqpQueue"]
