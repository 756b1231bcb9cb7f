"""Example sets from Debian packages: voices of a game, sounds of players, and spoken prompts."""
