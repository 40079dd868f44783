"""Preprocessors: callables that take an event and return it; one file each.

They read `ip_address`, `user_agent`, `user_id`, `session_id` and write `is_robot`, `is_machine`,
`country`, `visitor_id`, `unique_session_id`, `unique_id`. Flag and add before you anonymise:
afterwards agent and address are gone, and that order is refused.
"""

from stats_pipeline.events.preprocessors.add_country import add_country
from stats_pipeline.events.preprocessors.anonymize_user import anonymize_user
from stats_pipeline.events.preprocessors.build_unique_id import (
    build_file_unique_id,
    build_record_unique_id,
)
from stats_pipeline.events.preprocessors.flag_agents import (
    drop_machines,
    drop_robots,
    flag_machines,
    flag_robots,
)

__all__ = [
    "add_country",
    "anonymize_user",
    "build_file_unique_id",
    "build_record_unique_id",
    "drop_machines",
    "drop_robots",
    "flag_machines",
    "flag_robots",
]
