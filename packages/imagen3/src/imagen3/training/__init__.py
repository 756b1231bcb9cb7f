"""The trainings of a system."""
