"""Say which country an event comes from, as long as its address is there."""

from __future__ import annotations

from stats_pipeline.events.chain import current_context
from stats_pipeline.events.country_database import country_of
from stats_pipeline.model import Event
from stats_pipeline.registry.order import fields_of_event


@fields_of_event(read=["ip_address"])
def add_country(event: Event) -> Event:
    """Set `country` to the two letters (ISO 3166) of the country that the address belongs to.

    Where neither address nor database (``STATS_COUNTRY_DATABASE``) tell, the event stays as it is.
    """
    path, address = current_context().country_database, event.get("ip_address")
    if path is not None and isinstance(address, str):
        country = country_of(address, path=path)
        if country is not None:
            event["country"] = country
    return event
