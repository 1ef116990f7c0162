"""Routine quality assurance: the edit load of approved structures, watched over months."""
