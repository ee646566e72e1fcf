"""Downloads model files: queued, resumable, verified before they get their name."""
