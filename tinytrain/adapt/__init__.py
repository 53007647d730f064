"""Experiments with many users: what learning on the device does for each of them."""
