/* Normalization statistics re-estimated on the device, without labels: each of a model's named
 * convolutions looks at some inferences of the person it serves, and then gets biases, multipliers
 * and shifts that bring the means and deviations of its channels nearer to those of the training
 * people. Renewed statistics are on trial before they answer; until then, and where the trial finds
 * them worse, those of the factory do.
 *
 * Letters: O output channels of a layer. The rules, with every rounding, stand in LEARNING.md
 * ("Statistics without labels"); tinytrain/emulator/statistics.py is the reference and gives the
 * same bits.
 */
#ifndef TINYTRAIN_STATISTICS_H
#define TINYTRAIN_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "tinytrain/fast_kernels.h"
#include "tinytrain/kernels.h"
#include "tinytrain/tinytrain.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What renewed statistics need in order to answer. */
enum {
    TT_STATISTICS_UNGUARDED, /* nothing */
    TT_STATISTICS_LABELS,    /* labelled samples on which they do better */
    TT_STATISTICS_CONFIDENCE /* while none of these has come: samples of which the head is surer */
};

/* How far they are. */
enum {
    TT_STATISTICS_ESTIMATING,
    TT_STATISTICS_TRIAL,
    TT_STATISTICS_TAKEN,  /* they answer */
    TT_STATISTICS_REFUSED /* those of the factory do, until tt_statistics_undo */
};

/* A renewed channel outside of these stays as it was converted. A layer that a fast kernel can
 * compute has this kernel's, whichever it has, so that it is renewed alike with both. */
typedef struct tt_renewal_bounds {
    int32_t reach; /* the largest magnitude of a sum without the bias */
    int32_t limit; /* of that with the bias, raised by a left shift */
    int32_t min_shift;
    int32_t max_shift;
} tt_renewal_bounds;

/* What a named layer has to know of itself, and of the training people. */
typedef struct tt_layer_statistics {
    int32_t operator_index;
    int32_t depthwise;         /* 1: DEPTHWISE_CONV_2D, 0: CONV_2D */
    int32_t accumulator_shift; /* e, 0 to 30: accumulators count in units of 2^e */
    tt_renewal_bounds bounds;
    const int32_t *mean;      /* [O] of the training people, units of 2^e */
    const int32_t *deviation; /* [O] */
} tt_layer_statistics;

typedef struct tt_statistics_plan {
    int32_t layers;
    int32_t samples;  /* forward passes that each layer looks at, 1 to 65535 */
    int32_t share;    /* of the person in the renewed statistics, Q8, 0 to 256 */
    int32_t guard;    /* TT_STATISTICS_UNGUARDED, ...; needs a head unless that */
    int32_t channels; /* O, summed over the layers */
    int32_t widest;   /* the largest O */
} tt_statistics_plan;

/* A named layer, in flash. */
typedef struct tt_statistics_layer {
    tt_layer_statistics training;
    uint32_t input_offset;             /* of its input, in the arena */
    const tt_convolution *convolution; /* sums are computed by it; not its last three arrays */
    const int32_t *bias;               /* [O] as converted, and so on */
    const int32_t *multiplier;         /* [O] */
    const int8_t *shift;               /* [O] */
    /* What inferences use, in RAM, one of the two, for the arrays that it points to are renewed;
     * the other is NULL. */
    tt_convolution *plain;
    tt_fast_convolution *fast;
    const tt_channel *channels; /* [O] of `fast` as converted */
} tt_statistics_layer;

/* Renewed channels, layer after layer. */
typedef struct tt_renewed {
    tt_channel *channels; /* of layers with a fast kernel */
    int32_t *bias;        /* of the others */
    int32_t *multiplier;
    int8_t *shift;
} tt_renewed;

typedef struct tt_statistics tt_statistics;

/* What a served application calls, so that one whose model names no layers links none of it. */
typedef struct tt_statistics_functions {
    int32_t (*observe)(tt_statistics *statistics, const void *input);
    int32_t (*judge)(tt_statistics *statistics, const void *input, uint16_t label);
    void (*undo)(tt_statistics *statistics);
    void (*restore)(const tt_model *model);
    uint32_t (*trace)(const tt_statistics *statistics, int32_t layer);
} tt_statistics_functions;

extern const tt_statistics_functions tt_statistics_renewal;

/* Fixed at export, in flash. */
typedef struct tt_statistics_constants {
    const tt_statistics_functions *functions; /* &tt_statistics_renewal */
    tt_statistics_plan plan;
    const tt_statistics_layer *const *layer; /* [layers], in the order of the network */
} tt_statistics_constants;

/* A model has one set of renewed arrays, so there is one of these a model. */
struct tt_statistics {
    tt_device *device;
    int64_t *sum;       /* [widest] of the layer that is looked at */
    int64_t *square;    /* [widest] */
    tt_renewed renewed; /* of the first layer on */
    int32_t layer;      /* that is looked at; `layers` when all are renewed */
    int32_t samples;    /* that it has seen */
    int32_t state;      /* TT_STATISTICS_ESTIMATING, ... */
    int32_t labelled;   /* 1: what the trial has weighed had labels, 0: none had */
    tt_progress trial;  /* what the renewed statistics gain over the factory's: S, Q and m */
};

/* Bytes of the buffer, of whose channels `fast` are of layers with a fast kernel: a constant
 * expression. */
#define TT_STATISTICS_BYTES(channels, fast, widest)                                                \
    ((widest) * 16u + (fast) * 16u + ((channels) - (fast)) * 9u)

/* Binds to a device, after its tt_init, and to memory of NAME_STATISTICS_BYTES (only in the header
 * of a model that names layers), aligned to 8, with nothing renewed. Returns TT_OK,
 * TT_ERROR_NO_STATISTICS where the model names no layers, or TT_ERROR_MEMORY; the calls below are
 * for one that is bound. Renewed statistics are in no tt_export: over a power cycle they are lost,
 * and estimated anew. */
int32_t tt_statistics_init(tt_statistics *statistics, tt_device *device, void *memory,
                           size_t bytes);

/* One forward pass up to the layer in question, which is renewed where this was the last that it
 * waited for. In a trial by confidence two forward passes, one by each set of statistics; after as
 * many of these as a layer looks at, the renewed ones are taken or refused. Else nothing happens.
 * Returns how many layers are still to be renewed. */
int32_t tt_statistics_observe(tt_statistics *statistics, const void *input);

/* A sample of which a person says that its class is `label`. In a trial two forward passes, each
 * judged by the head as it answers now, so give a sample here before it is learned; elsewhere
 * nothing happens. Returns the state, or TT_ERROR_NO_HEAD, or TT_ERROR_LABEL where the head has no
 * such class. */
int32_t tt_statistics_judge(tt_statistics *statistics, const void *input, uint16_t label);

/* Every layer as it was converted, and estimation from the start. tt_reset and tt_roll_back to the
 * factory do it, too. */
void tt_statistics_undo(tt_statistics *statistics);

/* Every layer of a model as it was converted, which tt_init begins with. */
void tt_statistics_restore(const tt_model *model);

/* CRC-32 of a layer's channels: sums and squares as int64, then the biases and multipliers as int32
 * and the shifts as int8, renewed where they are; the same of every kernel. Sums are those of the
 * last layer looked at. */
uint32_t tt_statistics_trace(const tt_statistics *statistics, int32_t layer);

#ifdef __cplusplus
}
#endif

#endif
