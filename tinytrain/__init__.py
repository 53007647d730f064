"""tinytrain: from a data set to a microcontroller that goes on learning, bit for bit."""

__version__ = "0.1.0"
