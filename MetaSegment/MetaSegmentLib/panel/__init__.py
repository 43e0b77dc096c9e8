"""What the user sees: the panel's sections and tables."""
