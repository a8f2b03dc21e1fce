"""Engines: where runs are executed, on this machine or on a cluster.

Every file of this folder without `_` in its name is an engine (see `supervisor/engine.py`). It defines `KIND`, and the
engine has the name of the file. No other file needs a change when an engine is added.
"""
