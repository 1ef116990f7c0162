"""Checking structure sets."""
