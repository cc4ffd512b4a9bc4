"""Playbooks: timed steps as data, run by rows in the store that survive anything."""
