"""Static thresholds: rules as data, and what they say of windows."""
