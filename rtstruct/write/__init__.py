"""Writing structure sets."""
