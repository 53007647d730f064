"""The command line: parses, calls, prints. What it calls is imported when a command runs."""

from tinytrain.cli import learner, models, runs, tasks
from tinytrain.cli.group import main

__all__ = ["learner", "main", "models", "runs", "tasks"]
