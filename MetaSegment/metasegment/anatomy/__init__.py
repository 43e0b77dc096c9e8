"""What is known of anatomy: names and codes of structures. Imports no torch."""
