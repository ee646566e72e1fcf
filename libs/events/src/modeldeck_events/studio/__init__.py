"""Facts of other services, which anybody may publish (api.md, Bus): training, chats, datasets, servers, projects.

Subject `evt.<aggregate>.<source>.<id>`: `source` is the publisher's name (the CloudEvents source), `id` its own id of
the thing, so two publishers never meet in one subject. When something happened is the envelope's time, which may lie
long before the publication. Facts may come late, twice and in any order: whoever folds them goes by ids and times.
"""

from modeldeck_events import subjects
from modeldeck_events.message import Event
from modeldeck_events.studio import conversations, datasets, projects, registered, servers, training

EVENTS: tuple[type[Event], ...] = (
    *training.EVENTS,
    *conversations.EVENTS,
    *datasets.EVENTS,
    *servers.EVENTS,
    *registered.EVENTS,
    *projects.EVENTS,
)

_AGGREGATES = {
    event: module.AGGREGATE
    for module in (training, conversations, datasets, servers, registered, projects)
    for event in module.EVENTS
}
_ID_FIELDS = {
    training.AGGREGATE: "job_id",
    conversations.AGGREGATE: "conversation_id",
    datasets.AGGREGATE: "dataset_id",
    servers.AGGREGATE: "server_id",
    registered.AGGREGATE: "model_id",
    projects.AGGREGATE: "project_id",
}


def subject(source: str, event: Event) -> str:
    """Return the subject of a fact that `source` publishes; raises KeyError for a type that is not of this package."""
    aggregate = _AGGREGATES[type(event)]
    return subjects.event(aggregate, source, str(getattr(event, _ID_FIELDS[aggregate])))


__all__ = [
    "EVENTS",
    "conversations",
    "datasets",
    "projects",
    "registered",
    "servers",
    "subject",
    "training",
]
