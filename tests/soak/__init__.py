"""The soak: rounds drawn at random, each of which must end with a ledger that adds up.

A round is a lab, an engine on it, somebody who sends, and things done to the engine while packets
flow. It is drawn from a seed and its number alone (recipe.py), so each can be run again:
``make soak SEED=... ROUND=...``. What the machine does meanwhile is not the same twice, of course.
"""
