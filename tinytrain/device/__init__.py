"""One interface, `Device`, over every body a model can run in."""
