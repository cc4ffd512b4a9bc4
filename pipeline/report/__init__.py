"""A report on how good the scores are: one object of results, rendered to HTML and Markdown."""
