"""What model hubs offer: a link as a person writes it becomes a repository with its files.

Read in this order: `links` (what may be written, pure), `describing` (ask, fall back on what the log says, publish what
is new), `huggingface` and `civitai` (one client each) over `shapes` and `variants` (a hub's answer as our vocabulary,
pure), `remembering` (what was answered a moment ago), `conditional` (If-None-Match, caps and origin for every request
of huggingface_hub), `hosts` (which address, with which token), `problems` (how it can fail).
"""
