"""Model packages: description, files, weights, library."""
