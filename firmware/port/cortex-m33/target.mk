# Cortex-M33 with FPU and DSP.
CPU     := -mcpu=cortex-m33 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16
MACHINE := mps2-an505
include $(RUNTIME)/port/qemu/qemu.mk
