"""Telling people: an outbox that survives, and one file for each channel."""
