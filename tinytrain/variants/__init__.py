"""Which C kernel each operator gets."""
