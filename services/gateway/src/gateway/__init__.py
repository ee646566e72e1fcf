"""Projects the event log into read models, serves them over HTTP and SSE with the dashboard, and is the command line."""
