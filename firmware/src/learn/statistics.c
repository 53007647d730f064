/* Normalization statistics re-estimated from forward passes. */
#include "tinytrain/statistics.h"

#include <stdbool.h>
#include <string.h>

#include "../kernels/sums.h"
#include "guard.h"
#include "statistics_constants.h"
#include "tinytrain/arithmetic.h"
#include "tinytrain/crc32.h"

/* What a channel's requantization is made of. */
typedef struct rescale {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
} rescale;

/* The guard's rules in a trial. */
static const tt_learner_constants trial_rules = {
    .loss_cap = TT_TRIAL_LOSS_CAP, .margin = TT_TRIAL_MARGIN, .confidence = TT_TRIAL_CONFIDENCE};

static const tt_statistics_constants *constants_of(const tt_statistics *statistics)
{
    return statistics->device->model->statistics;
}

/* Of the layers with a fast kernel. */
static size_t fast_channels(const tt_statistics_constants *constants)
{
    size_t channels = 0;
    for (int32_t i = 0; i < constants->plan.layers; i++) {
        const tt_statistics_layer *layer = constants->layer[i];
        channels += layer->fast != NULL ? (size_t)layer->fast->output_channels : 0u;
    }
    return channels;
}

int32_t tt_statistics_init(tt_statistics *statistics, tt_device *device, void *memory, size_t bytes)
{
    const tt_statistics_constants *constants = device->model->statistics;
    if (constants == NULL) {
        return TT_ERROR_NO_STATISTICS;
    }
    size_t channels = (size_t)constants->plan.channels;
    size_t fast = fast_channels(constants);
    size_t widest = (size_t)constants->plan.widest;
    if (memory == NULL || (uintptr_t)memory % 8u != 0u ||
        bytes < TT_STATISTICS_BYTES(channels, fast, widest)) {
        return TT_ERROR_MEMORY;
    }
    statistics->device = device;
    device->statistics = statistics;
    statistics->sum = memory;
    statistics->square = statistics->sum + widest;
    tt_renewed *renewed = &statistics->renewed;
    renewed->channels = (tt_channel *)(statistics->square + widest);
    renewed->bias = (int32_t *)(renewed->channels + fast);
    renewed->multiplier = renewed->bias + (channels - fast);
    renewed->shift = (int8_t *)(renewed->multiplier + (channels - fast));
    tt_statistics_undo(statistics);
    return TT_OK;
}

/* From a layer's renewed channels to those of the next. */
static void advance(tt_renewed *at, const tt_statistics_layer *layer)
{
    int32_t channels = layer->convolution->output_channels;
    if (layer->fast != NULL) {
        at->channels += channels;
    } else {
        at->bias += channels;
        at->multiplier += channels;
        at->shift += channels;
    }
}

/* Where a layer's renewed channels lie. */
static tt_renewed renewed_of(const tt_statistics *statistics, int32_t layer)
{
    tt_renewed at = statistics->renewed;
    for (int32_t i = 0; i < layer; i++) {
        advance(&at, constants_of(statistics)->layer[i]);
    }
    return at;
}

void tt_statistics_restore(const tt_model *model)
{
    const tt_statistics_constants *constants = model->statistics;
    for (int32_t i = 0; i < constants->plan.layers; i++) {
        const tt_statistics_layer *layer = constants->layer[i];
        if (layer->fast != NULL) {
            layer->fast->channels = layer->channels;
        } else {
            layer->plain->bias = layer->bias;
            layer->plain->multiplier = layer->multiplier;
            layer->plain->shift = layer->shift;
        }
    }
}

/* Inferences use the renewed arrays of the first `renewed` layers, and of the others those in
 * flash. */
static void use(const tt_statistics *statistics, int32_t renewed)
{
    const tt_statistics_constants *constants = constants_of(statistics);
    tt_renewed at = statistics->renewed;
    tt_statistics_restore(statistics->device->model);
    for (int32_t i = 0; i < renewed; i++) {
        const tt_statistics_layer *layer = constants->layer[i];
        if (layer->fast != NULL) {
            layer->fast->channels = at.channels;
        } else {
            layer->plain->bias = at.bias;
            layer->plain->multiplier = at.multiplier;
            layer->plain->shift = at.shift;
        }
        advance(&at, layer);
    }
}

/* Inferences use what answers. */
static void use_answering(const tt_statistics *statistics)
{
    use(statistics, statistics->state == TT_STATISTICS_TAKEN ? statistics->layer : 0);
}

void tt_statistics_undo(tt_statistics *statistics)
{
    statistics->layer = 0;
    statistics->samples = 0;
    statistics->state = TT_STATISTICS_ESTIMATING;
    statistics->labelled = 0;
    statistics->trial = (tt_progress){0};
    use_answering(statistics);
}

/* The accumulator of one channel at one output pixel. */
static int32_t accumulator(const tt_statistics_layer *layer, const int8_t *input,
                           const tt_window *w, int32_t channel)
{
    const tt_convolution *p = layer->convolution;
    int32_t sum;
    if (layer->training.depthwise != 0) {
        int32_t depth_multiplier = p->output_channels / p->input_channels;
        sum = tt_sum_channel(p, input, w, channel / depth_multiplier, channel);
    } else {
        ptrdiff_t filter_size = (ptrdiff_t)p->kernel_height * p->kernel_width * p->input_channels;
        sum = tt_sum_window(p, input, w, p->weights + channel * filter_size);
    }
    return sum + layer->bias[channel];
}

static void accumulate(tt_statistics *statistics, const tt_statistics_layer *layer)
{
    const tt_convolution *p = layer->convolution;
    const int8_t *input = (const int8_t *)(statistics->device->arena + layer->input_offset);
    for (int32_t y = 0; y < p->output_height; y++) {
        for (int32_t x = 0; x < p->output_width; x++) {
            tt_window w = tt_window_at(p, y, x);
            for (int32_t o = 0; o < p->output_channels; o++) {
                int32_t a = accumulator(layer, input, &w, o) >> layer->training.accumulator_shift;
                statistics->sum[o] += a;
                statistics->square[o] += (int64_t)a * a;
            }
        }
    }
}

/* (a / b) in Q16, for |a| <= 2^40 and b > 0. */
static int64_t ratio_q16(int64_t a, int32_t b)
{
    return tt_divide_rounded(a * TT_RATIO_ONE, b);
}

/* Multiplier and shift times a ratio in Q16 between TT_MIN_RATIO and TT_MAX_RATIO. */
static void scale(rescale *channel, int64_t ratio)
{
    int64_t product = channel->multiplier * ratio;
    /* Of 45 to 49 bits, so that the upper word is not 0. */
    int32_t raised = 17 - tt_count_leading_zeros((uint32_t)(product >> 32));
    int64_t rounded = tt_round_half_up_int64(product, 16 + raised);
    if (rounded > INT32_MAX) {
        rounded >>= 1;
        raised++;
    }
    channel->multiplier = (int32_t)rounded;
    channel->shift += raised;
}

/* The mean and deviation of a channel: the person's, mixed with those of the training people. */
static void mix(const tt_statistics *statistics, const tt_statistics_layer *layer, int32_t channel,
                int32_t *mean, int32_t *deviation)
{
    const tt_statistics_constants *constants = constants_of(statistics);
    const tt_convolution *p = layer->convolution;
    int64_t own = constants->plan.share;
    int64_t rest = TT_SHARE_ONE - own;
    int64_t sum = statistics->sum[channel];
    int64_t before = layer->training.deviation[channel];
    int32_t n = constants->plan.samples * p->output_height * p->output_width;
    int64_t centre = tt_divide_rounded(sum, n);
    int64_t remainder = sum - n * centre;
    int64_t spread = statistics->square[channel] - n * centre * centre - 2 * centre * remainder;
    int64_t moved = centre - layer->training.mean[channel];
    int64_t within = own * (spread / n) + rest * before * before;
    int64_t between = own * rest * moved * moved;
    *mean = layer->training.mean[channel] + (int32_t)tt_round_half_up_int64(own * moved, 8);
    *deviation = (int32_t)tt_isqrt64((uint64_t)((within * TT_SHARE_ONE + between) >> 16));
}

/* Whether the channel changes; then `channel` is what it becomes. */
static bool renew_channel(const tt_statistics *statistics, const tt_statistics_layer *layer,
                          int32_t o, rescale *channel)
{
    int32_t mean;
    int32_t deviation;
    mix(statistics, layer, o, &mean, &deviation);
    if (layer->training.deviation[o] < TT_MIN_DEVIATION || deviation < TT_MIN_DEVIATION ||
        channel->multiplier == 0) {
        return false;
    }
    int64_t ratio = ratio_q16(layer->training.deviation[o], deviation);
    ratio = tt_max(tt_limit_int64(ratio, TT_MAX_RATIO), TT_MIN_RATIO);
    int64_t moved = ratio_q16(layer->training.mean[o], (int32_t)ratio) - mean;
    int64_t bias = channel->bias + moved * ((int64_t)1 << layer->training.accumulator_shift);
    scale(channel, ratio);
    const tt_renewal_bounds *bounds = &layer->training.bounds;
    int32_t room = (bounds->limit >> tt_max(channel->shift, 0)) - bounds->reach;
    if (bias > room || -bias > room || channel->shift < bounds->min_shift ||
        channel->shift > bounds->max_shift) {
        return false;
    }
    channel->bias = (int32_t)bias;
    return true;
}

static rescale factory_of(const tt_statistics_layer *layer, int32_t o)
{
    return (rescale){layer->bias[o], layer->multiplier[o], layer->shift[o]};
}

/* What the fast kernel makes of it. */
static tt_channel folded(const tt_statistics_layer *layer, int32_t o, const rescale *channel)
{
    int32_t zero_point = layer->convolution->output_zero_point;
    int32_t shift = -channel->shift;
    return (tt_channel){.start = layer->channels[o].start - layer->bias[o] + channel->bias,
                        .multiplier = channel->multiplier,
                        .rounding = (2 * zero_point + 1) * ((int32_t)1 << (shift - 1)),
                        .shift = shift};
}

/* The way back. Only a channel that is as it was converted can have a multiplier of 0 there, and
 * another in flash: one that never leaves the zero point. */
static rescale unfolded(const tt_statistics_layer *layer, int32_t o, const tt_channel *channel)
{
    if (channel->multiplier == 0) {
        return factory_of(layer, o);
    }
    return (rescale){layer->bias[o] - layer->channels[o].start + channel->start,
                     channel->multiplier, -channel->shift};
}

static void renew(tt_statistics *statistics, const tt_statistics_layer *layer)
{
    tt_renewed at = renewed_of(statistics, statistics->layer);
    for (int32_t o = 0; o < layer->convolution->output_channels; o++) {
        rescale renewed = factory_of(layer, o);
        bool changes = renew_channel(statistics, layer, o, &renewed);
        if (layer->fast != NULL) {
            at.channels[o] = changes ? folded(layer, o, &renewed) : layer->channels[o];
        } else {
            at.bias[o] = changes ? renewed.bias : layer->bias[o];
            at.multiplier[o] = changes ? renewed.multiplier : layer->multiplier[o];
            at.shift[o] = changes ? (int8_t)renewed.shift : layer->shift[o];
        }
    }
}

/* One more forward pass of the layer whose turn it is. */
static void estimate(tt_statistics *statistics, const void *input)
{
    const tt_statistics_constants *constants = constants_of(statistics);
    const tt_statistics_layer *layer = constants->layer[statistics->layer];
    tt_device *device = statistics->device;
    if (statistics->samples == 0) {
        memset(statistics->sum, 0, (size_t)constants->plan.widest * 2u * sizeof *statistics->sum);
    }
    use(statistics, statistics->layer);
    tt_load_input(device, input);
    device->model->run(device->arena, 0, (uint16_t)layer->training.operator_index);
    accumulate(statistics, layer);
    statistics->samples++;
    if (statistics->samples == constants->plan.samples) {
        renew(statistics, layer);
        statistics->layer++;
        statistics->samples = 0;
    }
    if (statistics->layer == constants->plan.layers) {
        bool guarded = constants->plan.guard != TT_STATISTICS_UNGUARDED;
        statistics->state = guarded ? TT_STATISTICS_TRIAL : TT_STATISTICS_TAKEN;
    }
    use_answering(statistics);
}

/* Bits that the head, as it answers now, loses on a sample, Q10; NULL: on what it takes it for. */
static int32_t loss(tt_device *device, const void *input, const uint16_t *label)
{
    uint16_t best = (uint16_t)tt_classify(device, input);
    tt_head *head = tt_device_head(device);
    uint16_t classes = device->learner != NULL ? device->learner->answering : head->rows.classes;
    tt_head_softmax(head, best, classes);
    return tt_head_loss(head, best, label != NULL ? *label : best, classes);
}

/* Whether one set of statistics is better than the other by more than chance: the renewed one where
 * `sign` is 1, the factory's where it is -1. */
static bool better(const tt_progress *trial, int32_t sign)
{
    tt_progress seen = *trial;
    seen.gain *= sign;
    return tt_guard_accepts(&trial_rules, &seen, 0) != 0;
}

/* One more sample of the trial, which ends with the `last` at the latest. */
static void weigh(tt_statistics *statistics, const void *input, const uint16_t *label,
                  uint32_t last)
{
    tt_progress *trial = &statistics->trial;
    use(statistics, 0);
    int32_t before = loss(statistics->device, input, label);
    use(statistics, statistics->layer);
    int32_t after = loss(statistics->device, input, label);
    tt_guard_judge(&trial_rules, trial, before, after);
    bool ends = trial->samples >= last;
    if ((label != NULL || ends) && better(trial, 1)) {
        statistics->state = TT_STATISTICS_TAKEN;
    } else if (ends || (label != NULL && better(trial, -1))) {
        statistics->state = TT_STATISTICS_REFUSED;
    }
    use_answering(statistics);
}

int32_t tt_statistics_observe(tt_statistics *statistics, const void *input)
{
    const tt_statistics_plan *plan = &constants_of(statistics)->plan;
    if (statistics->state == TT_STATISTICS_ESTIMATING) {
        estimate(statistics, input);
    } else if (statistics->state == TT_STATISTICS_TRIAL &&
               plan->guard == TT_STATISTICS_CONFIDENCE && statistics->labelled == 0) {
        weigh(statistics, input, NULL, (uint32_t)plan->samples);
    }
    return plan->layers - statistics->layer;
}

int32_t tt_statistics_judge(tt_statistics *statistics, const void *input, uint16_t label)
{
    const tt_head *head = tt_device_head(statistics->device);
    if (head == NULL) {
        return TT_ERROR_NO_HEAD;
    }
    if (label >= head->rows.classes) {
        return TT_ERROR_LABEL;
    }
    if (statistics->state == TT_STATISTICS_TRIAL) {
        if (statistics->labelled == 0) {
            statistics->trial = (tt_progress){0};
            statistics->labelled = 1;
        }
        weigh(statistics, input, &label, TT_TRIAL_SAMPLES);
    }
    return statistics->state;
}

/* Of the biases, multipliers and shifts that a fast kernel's channels are made of. */
static uint32_t trace_folded(uint32_t crc, const tt_statistics_layer *layer,
                             const tt_channel *channels)
{
    int32_t count = layer->convolution->output_channels;
    for (int32_t o = 0; o < count; o++) {
        rescale channel = unfolded(layer, o, &channels[o]);
        crc = tt_crc32(crc, (const uint8_t *)&channel.bias, 4);
    }
    for (int32_t o = 0; o < count; o++) {
        rescale channel = unfolded(layer, o, &channels[o]);
        crc = tt_crc32(crc, (const uint8_t *)&channel.multiplier, 4);
    }
    for (int32_t o = 0; o < count; o++) {
        int8_t shift = (int8_t)unfolded(layer, o, &channels[o]).shift;
        crc = tt_crc32(crc, (const uint8_t *)&shift, 1);
    }
    return crc;
}

uint32_t tt_statistics_trace(const tt_statistics *statistics, int32_t layer)
{
    const tt_statistics_layer *named = constants_of(statistics)->layer[layer];
    size_t channels = (size_t)named->convolution->output_channels;
    use(statistics, statistics->layer);
    uint32_t crc = tt_crc32(0, (const uint8_t *)statistics->sum, 8u * channels);
    crc = tt_crc32(crc, (const uint8_t *)statistics->square, 8u * channels);
    if (named->fast != NULL) {
        crc = trace_folded(crc, named, named->fast->channels);
    } else {
        crc = tt_crc32(crc, (const uint8_t *)named->plain->bias, 4u * channels);
        crc = tt_crc32(crc, (const uint8_t *)named->plain->multiplier, 4u * channels);
        crc = tt_crc32(crc, (const uint8_t *)named->plain->shift, channels);
    }
    use_answering(statistics);
    return crc;
}
