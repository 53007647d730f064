# Cortex-M55 with MVE.
CPU     := -mcpu=cortex-m55 -mthumb -mfloat-abi=hard
MACHINE := mps3-an547
include $(RUNTIME)/port/qemu/qemu.mk
