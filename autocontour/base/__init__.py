"""Basic modules used by all others: errors, findings, jobs, files."""
