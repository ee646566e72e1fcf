"""Modeldeck on one box: the embedded nats-server and the four services, with one command."""
