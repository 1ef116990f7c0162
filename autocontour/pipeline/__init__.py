"""From a CT to its structure set."""
