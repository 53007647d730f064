# Cortex-M0 code on QEMU's Cortex-M3 board: it has no M0 board with enough memory.
CPU     := -mcpu=cortex-m0 -mthumb
MACHINE := mps2-an385
include $(RUNTIME)/port/qemu/qemu.mk
