"""Dossiers: everything that was measured about a method in one document, for a physicist's decision."""
