# Builds a model with the tinytrain runtime. A converted project holds this file as its Makefile.
#
#   make TARGET=cortex-m4            # build/cortex-m4/device and build/cortex-m4/selftest
#   make TARGET=cortex-m4 selftest   # runs the golden samples (under QEMU; on this machine: host)
#   make TARGET=cortex-m4 example    # builds and runs runtime/app/example.c: learning, call by call
#   make TARGET=cortex-m4 size
#   make clean help
#
# TARGET    host (default), cortex-m0, cortex-m4, cortex-m33 or cortex-m55
# SANITIZE  1: with address and undefined-behaviour sanitizers (host only; default there), 0: without
# OPTIMIZE  the compiler's optimization; default: what the model was converted for, -O2 or -Os
# KERNELS   portable, dsp or mve, in place of what the processor has; stops where it lacks them
# V         1: shows the commands, not a line a file
# BUILD     where to build, build/TARGET
# MODEL     the folder with the generated model.h, *.c and golden.c, model
# RUNTIME   the folder with the runtime's sources, runtime

TARGET   ?= host
BUILD    ?= build/$(TARGET)
MODEL    ?= model
RUNTIME  ?= runtime
-include $(MODEL)/model.mk
OPTIMIZE ?= -O2

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
# A line a file, in place of a command of thousands of characters; nothing with make --silent.
ifeq ($(V),1)
SAY   :=
QUIET :=
else
SAY   := $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),,@echo)
QUIET := @
endif
MAKEFLAGS += --no-builtin-rules

TARGETS := $(sort $(patsubst $(RUNTIME)/port/%/target.mk,%,$(wildcard $(RUNTIME)/port/*/target.mk)))
ifeq ($(TARGETS),)
$(error RUNTIME=$(RUNTIME) has no port/*/target.mk: it is not the runtime's folder)
endif
ifeq ($(filter $(TARGET),$(TARGETS)),)
$(error TARGET=$(TARGET) is unknown; it can be: $(TARGETS))
endif
include $(RUNTIME)/port/$(TARGET)/target.mk

ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell command -v $(firstword $(TOOL)) 2>/dev/null),)
$(error $(firstword $(TOOL)) is missing; on Debian or Ubuntu: apt-get install $(PACKAGES))
endif
endif

FLAGS := $(CPU) $(OPTIMIZE) -g -std=c99 -Wall -Wextra -Wconversion -Werror \
         -ffunction-sections -fdata-sections \
         -I$(RUNTIME)/include -I$(RUNTIME)/app -I$(RUNTIME)/port -I$(RUNTIME)/port/$(TARGET) \
         -I$(RUNTIME)/$(PORT) -I$(MODEL)
LINK  := $(CPU) $(OPTIMIZE) -Wl,--gc-sections $(LDFLAGS)
ifneq ($(filter speed balanced size,$(OPTIMIZE)),)
$(error OPTIMIZE=$(OPTIMIZE) is for `tinytrain convert --optimize`; here it is the option of the compiler, such as -O2)
endif
ifneq ($(filter-out -%,$(OPTIMIZE)),)
$(error OPTIMIZE=$(OPTIMIZE) is no option of the compiler, such as -O2)
endif
ifneq ($(KERNELS),)
ifeq ($(filter $(KERNELS),portable dsp mve),)
$(error KERNELS=$(KERNELS) is unknown; it can be: portable dsp mve)
endif
FLAGS += -DTT_USE_$(shell echo '$(KERNELS)' | tr a-z A-Z)
endif
ifeq ($(SANITIZE),1)
FLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK  += -fsanitize=address,undefined
endif

COMMON_SOURCES := $(filter-out $(MODEL)/golden.c,$(wildcard $(MODEL)/*.c)) \
                  $(wildcard $(RUNTIME)/src/*.c $(RUNTIME)/src/*/*.c $(RUNTIME)/$(PORT)/*.c)
# A port's start-up code may be assembler.
PORT_ASSEMBLER := $(wildcard $(RUNTIME)/$(PORT)/*.s $(RUNTIME)/$(PORT)/*.S)
objects         = $(addsuffix .o,$(addprefix $(BUILD)/object/,$(basename \
                  $(subst ../,,$(patsubst /%,%,$(1))))))
COMMON         := $(call objects,$(COMMON_SOURCES) $(PORT_ASSEMBLER))
# The application that speaks the protocol.
DEVICE_SOURCES := $(addprefix $(RUNTIME)/app/,device.c serve.c answer_learn.c answer_measure.c \
                  answer_state.c answer_statistics.c answer_stream.c)
DEVICE         := $(COMMON) $(call objects,$(DEVICE_SOURCES))
SELFTEST       := $(COMMON) $(call objects,$(RUNTIME)/app/selftest.c $(MODEL)/golden.c)
EXAMPLE        := $(COMMON) $(call objects,$(RUNTIME)/app/example.c $(MODEL)/golden.c)

.PHONY: all selftest example size clean help FORCE

all: $(BUILD)/device $(BUILD)/selftest

$(BUILD)/device: $(DEVICE) $(BUILD)/launch
	$(if $(SAY),$(SAY) 'LINK $@')
	$(QUIET)$(TOOL) $(LINK) -Wl,-Map=$@.map -o $@ $(DEVICE)

$(BUILD)/selftest: $(SELFTEST) $(BUILD)/launch
	$(if $(SAY),$(SAY) 'LINK $@')
	$(QUIET)$(TOOL) $(LINK) -Wl,-Map=$@.map -o $@ $(SELFTEST)

$(BUILD)/example: $(EXAMPLE) $(BUILD)/launch
	$(if $(SAY),$(SAY) 'LINK $@')
	$(QUIET)$(TOOL) $(LINK) -Wl,-Map=$@.map -o $@ $(EXAMPLE)

# The command that runs a program of this target, which is to follow; empty on the host.
$(BUILD)/launch: FORCE
	@mkdir -p $(@D)
	@echo '$(strip $(LAUNCH))' | cmp -s - $@ || echo '$(strip $(LAUNCH))' > $@

# Objects are built anew when the flags change, or the name of the folder: the compiler's lists of
# headers hold it, and would be passed over under another.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(BUILD): $(TOOL) $(FLAGS)' | cmp -s - $@ || echo '$(BUILD): $(TOOL) $(FLAGS)' > $@

define compile
$(call objects,$(1)): $(1) $(BUILD)/flags
	@mkdir -p $$(@D)
	$(if $(SAY),$(SAY) 'CC $(1)')
	$$(QUIET)$$(TOOL) $$(FLAGS) $$(if $$(findstring $(RUNTIME)/$(PORT)/,$(1)),$$(PORT_FLAGS)) -MMD -MP -c -o $$@ $$<
endef
ALL_SOURCES := $(COMMON_SOURCES) $(MODEL)/golden.c $(DEVICE_SOURCES) $(RUNTIME)/app/selftest.c \
               $(RUNTIME)/app/example.c
$(foreach source,$(ALL_SOURCES) $(PORT_ASSEMBLER),$(eval $(call compile,$(source))))

selftest example: %: $(BUILD)/%
ifneq ($(EMULATOR),)
	@command -v $(EMULATOR) >/dev/null || { echo '$(EMULATOR) is missing;' \
	    'on Debian or Ubuntu: apt-get install $(EMULATOR_PACKAGES)' >&2; exit 1; }
endif
	@# Through a pipe: QEMU opens its output anew, which would write over a file's end.
	@output=$$($(LAUNCH) $(BUILD)/$@); status=$$?; echo "$$output"; exit $$status

size: $(BUILD)/device
	$(SIZE) $<

clean:
	rm -rf $(BUILD)

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

-include $(patsubst %.o,%.d,$(call objects,$(ALL_SOURCES)))
