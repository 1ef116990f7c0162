"""One patient's geometry, volume, structures and their names."""
