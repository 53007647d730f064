"""The stages of the way, each a function from files to files: what the commands call."""
