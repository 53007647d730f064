"""What an operator is: its checks, its integer parameters, its cost. One module a family.

`lower` turns one operator of a graph into `Kernel`: the parameters dataclass is the exact twin of a
C struct in firmware/include/tinytrain/kernels.h, so the emulator and the emitted C code work from
the same numbers and nothing is derived twice.
"""
