"""A host's Celery app as somebody makes it who does not read how: no Flask app, only a schedule.

Configured by variables such as CARELESS_TASK_DEFAULT_QUEUE.
"""

import os

from celery import Celery

from stats_pipeline.tasks import beat_schedule

app = Celery("careless")
app.conf.update(
    broker_url=os.environ["CARELESS_BROKER_URL"],
    task_default_queue=os.environ["CARELESS_TASK_DEFAULT_QUEUE"],
    beat_schedule=beat_schedule,
)
