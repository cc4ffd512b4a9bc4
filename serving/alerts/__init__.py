"""The life of alerts and incidents: what opens, joins, mutes, escalates and ends them."""
