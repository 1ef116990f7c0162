"""Contouring."""
