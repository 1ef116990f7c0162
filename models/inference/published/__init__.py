"""Running published networks on a CT: exactly as their authors do, or faster."""
