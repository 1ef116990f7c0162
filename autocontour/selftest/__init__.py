"""The self-test, the demonstration, and the rehearsal both run."""
