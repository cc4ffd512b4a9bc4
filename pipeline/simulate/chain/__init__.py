"""A chain to practise on: contracts, people who use them, and those who rob them."""
