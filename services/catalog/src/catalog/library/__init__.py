"""The library: what may be deleted, linked and restored, what a workflow misses and where it can be had, lock files.

Where to read: `provenance.py` (which downloads are under way, where bytes came from), `needs.py` (who needs a file),
`known.py` and `sources.py` (where a file can be had, best first), `planning.py` (restore, missing files, lock files),
`locks.py` (the format of a lock file), `places.py` and `disk.py` (paths to folders, the few changes to the disk),
`deleting.py` and `linking.py` (these changes with their facts), `handlers.py` (the commands). All but `disk.py`,
`deleting.py`, `linking.py` and `handlers.py` is pure.
"""
