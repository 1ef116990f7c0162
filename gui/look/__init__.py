"""Theme, icons, language."""
