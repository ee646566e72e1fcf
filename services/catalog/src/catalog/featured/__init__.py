"""The featured models: a list from MODELDECK_FEATURED_URL, kept up to date with the same care as the presets.

`reading` is bytes to models (pure), `fold` what the log says, `refresh` what is appended.
"""
