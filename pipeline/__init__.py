"""What runs: sources, the stream, the lake, training, evaluation, backfill and simulation."""
