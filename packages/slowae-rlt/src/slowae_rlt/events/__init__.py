"""Levels of slow channels, their run-length coding as events, and files of events; pure functions and one class."""
