"""The store: alerts, incidents, notices, runs, people and the audit chain, in one database."""
