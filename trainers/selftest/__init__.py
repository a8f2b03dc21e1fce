"""Tests of the device itself, before anybody trusts what is trained on it: `python -P -m trainers.selftest`."""
