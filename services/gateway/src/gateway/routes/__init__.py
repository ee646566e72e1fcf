"""HTTP routes, one file per group of the API. Paths here are below `/api/v1`."""
