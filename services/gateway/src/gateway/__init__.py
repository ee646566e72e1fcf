"""Projects the event log into read models and serves them: HTTP, live streams, the dashboard; and the command line."""
