"""Host training: tasks, data sets, a Keras network, pruning, quantization and evaluation."""
