"""Read models of what other services publish. Facts may come late, twice and in any order (`modeldeck_events.studio`).

What a thing is comes from its newest fact by the envelope's time, not by the order of arrival, so every order of the
same facts ends in the same state. What is counted is counted once per source and id (`Seen`).
"""
