"""The learner of this computer or of a server: chosen, installed, asked in a thread."""
