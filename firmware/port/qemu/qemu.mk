# What the targets under QEMU share. A target's own target.mk sets CPU and MACHINE.
TOOL      := arm-none-eabi-gcc
SIZE      := arm-none-eabi-size
PORT      := port/qemu
EMULATOR  := qemu-system-arm
PACKAGES  := gcc-arm-none-eabi libnewlib-arm-none-eabi
EMULATOR_PACKAGES := qemu-system-arm
SANITIZE  := 0
LDFLAGS   += --specs=nano.specs -nostartfiles -T $(RUNTIME)/port/$(TARGET)/link.ld \
             -L $(RUNTIME)/port/qemu
LAUNCH    := $(EMULATOR) -M $(MACHINE) -nographic -monitor none -serial none \
             -semihosting-config enable=on,target=native -icount shift=6 -kernel
