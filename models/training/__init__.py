"""Training of both stages from one configuration."""
