"""Reading structure sets."""
