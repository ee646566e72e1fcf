"""The library: what may be deleted, linked and restored, what a workflow misses and where it can be had, lock files.

Where to read: `provenance.py` and `repositories.py` (where bytes came from, which downloads are under way, what a hub
said), `needs.py` (who needs a file), `sources.py` (where a file can be had, best first), `planning.py` (missing files,
restore), `locks.py` and `locking.py` (lock files), `places.py` (paths and roots): all of these pure. `disk.py` (the few
changes to model folders), `deleting.py` and `linking.py` (these with their facts), `change_handlers.py`,
`plan_handlers.py` and `answers.py` (the commands), `assembly.py` (the wiring).
"""
