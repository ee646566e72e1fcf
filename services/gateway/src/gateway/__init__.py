"""Projects the event log into read models and serves them over HTTP and SSE, with the dashboard and the command line."""
