"""The writer of C projects: a model as const arrays and direct kernel calls, with the runtime."""
