"""What playbooks can do: each action planned, prepared, performed once, and verified."""
