"""What `celery -A` gets of the host: made apart, so that its factories may be imported alone."""

from tests.celery.host import create_app, create_celery

app = create_celery(create_app())
