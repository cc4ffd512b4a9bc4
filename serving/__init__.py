"""What is done: rules, verdicts, alerts, notifications, playbooks, the API and its pages."""
