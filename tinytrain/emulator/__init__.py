"""The numpy reference: what it computes is what every device must compute, bit for bit."""
