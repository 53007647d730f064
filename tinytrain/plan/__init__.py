"""What a model costs: memory over time, and multiply-accumulates."""
