"""The workflow templates of this pool: folders that are watched, what is found in them as facts, scans on request.

Where to read: `folders.py` (which files there are), `examine.py` (one file to one fact), `watch.py` (what is appended
when), `loaders.py` (custom nodes), `handlers.py` (`ScanWorkflow`), `fold.py` (what the log says, which other parts of
the service ask).
"""
