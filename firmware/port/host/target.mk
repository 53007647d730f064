# The machine that builds: for tests and for speed, with sanitizers unless SANITIZE=0.
CC        ?= cc
TOOL      := $(CC)
SIZE      := size
CPU       :=
PORT      := port/host
SANITIZE  ?= 1
PACKAGES  := gcc libc6-dev
