"""The self-test, the demonstration, and the phantom run that both use."""
