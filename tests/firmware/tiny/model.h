/* What a converter writes for tiny.c. Tests change the lines that begin with #define. */
#ifndef MODEL_H
#define MODEL_H

#include "tiny.h"

#define TT_MODEL tiny_model
#define TT_MODEL_INPUT_BYTES 6
#define TT_MODEL_OUTPUT_BYTES 2
#define TT_MODEL_ARENA_BYTES 18
#define TT_MODEL_OPERATORS 3
#define TT_MODEL_CLASSES 2
#define TT_MODEL_CAPACITY 3
#define TT_MODEL_FEATURES 3
#define TT_MODEL_HEAD_BYTES TT_HEAD_BYTES(3, 3, 0)
#define TT_MODEL_STATE_BYTES 0
#define TINY_FAULTS 0

#endif
