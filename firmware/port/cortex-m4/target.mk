# Cortex-M4 with FPU.
CPU     := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16
MACHINE := mps2-an386
include $(RUNTIME)/port/qemu/qemu.mk
