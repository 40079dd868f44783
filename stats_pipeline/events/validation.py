"""Check events against their index template, after the preprocessors."""

from __future__ import annotations

from stats_pipeline.errors import InvalidEvent, nearest
from stats_pipeline.fields import one_form, one_value
from stats_pipeline.model import Event
from stats_pipeline.registry import EVENT_FIELDS
from stats_pipeline.templates import IndexTemplate
from stats_pipeline.text import refused_value


def checked(event: Event, template: IndexTemplate) -> Event:
    """Return the event with each value in the one form of its field type, without nulls.

    Raises:
        InvalidEvent: naming the field that the template does not know, or whose value it can't
            hold, and what it wants.
    """
    result: Event = {}
    for name, value in event.items():
        field_type = template.types.get(name)
        if field_type is None:
            raise InvalidEvent(
                f"the field {name!r} is not in the index template of {template.alias}"
                f"{nearest(name, template.types)}",
                field=name,
            )
        if value is None:
            continue
        try:
            # What the chain itself works with is one value.
            stored = (one_value if name in EVENT_FIELDS else one_form)(field_type, value)
        except ValueError as error:
            raise InvalidEvent(
                f"the field {name!r} ({field_type}): {error}, not {refused_value(value)}",
                field=name,
            ) from None
        if stored is not None:
            result[name] = stored
    # The template may leave it out, but every stored event says whether it is a robot's.
    result.setdefault("is_robot", False)
    return result
