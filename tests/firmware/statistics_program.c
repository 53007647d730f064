/* One layer with re-estimated statistics behind a link: takes the layer and its inputs, and answers
 * with what the functions give. All little-endian, as the targets are;
 * tests/firmware/statistics_device.py is the other end.
 *
 * After three statuses of refused memory, each input is observed and run; then all is undone and
 * the last one runs again.
 */
#include <stddef.h>
#include <string.h>

#include "exchange.h"
#include "port.h"
#include "tinytrain/statistics.h"

#define MAX_CHANNELS 64u
#define MAX_WEIGHTS 16384u
#define MAX_BYTES 16384u
#define MAX_SCRATCH 4096u

static int64_t memory[TT_STATISTICS_BYTES(MAX_CHANNELS, MAX_CHANNELS, MAX_CHANNELS) / 8u + 1u];
static uint32_t scratch[MAX_SCRATCH / 4u];
static int32_t arena[MAX_BYTES / 4u];
static int8_t output[MAX_BYTES];
static uint8_t input[MAX_BYTES];
static int8_t weights[MAX_WEIGHTS] TT_ON_WORD;
static int32_t bias[MAX_CHANNELS];
static int32_t multiplier[MAX_CHANNELS];
static int8_t shift[MAX_CHANNELS];
static int32_t mean[MAX_CHANNELS];
static int32_t deviation[MAX_CHANNELS];
static tt_channel channels[MAX_CHANNELS];

static tt_convolution convolution;
static tt_fast_convolution fast;
static tt_statistics_layer layer;
static const tt_statistics_layer *const layers[1] = {&layer};
static tt_statistics_constants constants = {.functions = &tt_statistics_renewal, .layer = layers};
static tt_slot slot;
static tt_model model;
static tt_device device;
static tt_statistics statistics;

static void run_nothing(uint8_t *place, uint16_t first, uint16_t end)
{
    (void)place;
    (void)first;
    (void)end;
}

static void receive_fast(void)
{
    const tt_convolution *p = &convolution;
    receive(channels, sizeof *channels * (size_t)p->output_channels);
    fast = (tt_fast_convolution){.input_height = p->input_height,
                                 .input_width = p->input_width,
                                 .input_channels = p->input_channels,
                                 .output_height = p->output_height,
                                 .output_width = p->output_width,
                                 .output_channels = p->output_channels,
                                 .kernel_height = p->kernel_height,
                                 .kernel_width = p->kernel_width,
                                 .stride_height = p->stride_height,
                                 .stride_width = p->stride_width,
                                 .pad_top = p->pad_top,
                                 .pad_left = p->pad_left,
                                 .input_zero_point = p->input_zero_point,
                                 .activation_min = p->activation_min,
                                 .activation_max = p->activation_max,
                                 .weights = weights};
    layer.fast = &fast;
    layer.channels = channels;
}

static void receive_layer(void)
{
    struct {
        int32_t samples;
        int32_t share;
        int32_t depthwise;
        int32_t accumulator_shift;
        tt_renewal_bounds bounds;
        int32_t fast;
    } numbers;
    receive(&convolution, offsetof(tt_convolution, weights));
    receive(&numbers, sizeof numbers);
    size_t count = (size_t)convolution.output_channels;
    size_t taps = (size_t)(convolution.kernel_height * convolution.kernel_width);
    receive(weights, taps * count * (numbers.depthwise ? 1u : (size_t)convolution.input_channels));
    receive(bias, 4u * count);
    receive(multiplier, 4u * count);
    receive(shift, count);
    receive(mean, 4u * count);
    receive(deviation, 4u * count);
    convolution.weights = weights;
    layer = (tt_statistics_layer){.training = {.depthwise = numbers.depthwise,
                                               .accumulator_shift = numbers.accumulator_shift,
                                               .bounds = numbers.bounds,
                                               .mean = mean,
                                               .deviation = deviation},
                                  .convolution = &convolution,
                                  .bias = bias,
                                  .multiplier = multiplier,
                                  .shift = shift};
    if (numbers.fast) {
        receive_fast();
    } else {
        layer.plain = &convolution;
    }
    constants.plan = (tt_statistics_plan){.layers = 1,
                                          .samples = numbers.samples,
                                          .share = numbers.share,
                                          .channels = convolution.output_channels,
                                          .widest = convolution.output_channels};
}

static void start(void)
{
    slot.bytes =
        (uint32_t)(convolution.input_height * convolution.input_width * convolution.input_channels);
    model = (tt_model){.arena_bytes = slot.bytes, .inputs = 1, .input = &slot, .run = run_nothing};
    int32_t statuses[3];
    (void)tt_init(&device, &model, arena, sizeof arena, NULL, 0);
    statuses[0] = tt_statistics_init(&statistics, &device, memory, sizeof memory);
    model.statistics = &constants;
    size_t count = (size_t)convolution.output_channels;
    size_t bytes = TT_STATISTICS_BYTES(count, layer.fast != NULL ? count : 0u, count);
    statuses[1] = tt_statistics_init(&statistics, &device, memory, bytes - 1u);
    statuses[2] = tt_statistics_init(&statistics, &device, (uint8_t *)memory + 4, bytes);
    send(statuses, sizeof statuses);
    if (tt_statistics_init(&statistics, &device, memory, bytes) != TT_OK) {
        tt_port_exit(3);
    }
}

static void run_layer(void)
{
    size_t bytes = (size_t)(convolution.output_height * convolution.output_width *
                            convolution.output_channels);
    if (layer.fast != NULL && layer.training.depthwise) {
        tt_fast_depthwise_conv_2d(&fast, NULL, (const int8_t *)input, output, scratch);
    } else if (layer.fast != NULL) {
        tt_fast_conv_2d(&fast, NULL, (const int8_t *)input, output, scratch);
    } else if (layer.training.depthwise) {
        tt_depthwise_conv_2d(&convolution, (const int8_t *)input, output);
    } else {
        tt_conv_2d(&convolution, (const int8_t *)input, output);
    }
    send(output, bytes);
}

static void renew(void)
{
    for (int32_t i = 0; i < constants.plan.samples; i++) {
        (void)tt_statistics_observe(&statistics, input);
    }
}

int main(void)
{
    int32_t inputs;
    receive_layer();
    start();
    receive(&inputs, sizeof inputs);
    for (int32_t i = 0; i < inputs; i++) {
        receive(input, slot.bytes);
        int32_t left = tt_statistics_observe(&statistics, input);
        uint32_t trace = tt_statistics_trace(&statistics, 0);
        send(&left, sizeof left);
        send(&trace, sizeof trace);
        run_layer();
    }
    tt_statistics_undo(&statistics);
    run_layer();
    renew();
    tt_reset(&device);
    run_layer();
    renew();
    (void)tt_init(&device, &model, arena, sizeof arena, NULL, 0);
    run_layer();
    return 0;
}
