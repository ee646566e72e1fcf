"""Events, commands and the event store of Modeldeck: the bus client for every service."""
