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

static int64_t memory[TT_STATISTICS_BYTES(MAX_CHANNELS, MAX_CHANNELS) / 8u + 1u];
static int32_t arena[MAX_BYTES / 4u];
static int8_t output[MAX_BYTES];
static uint8_t input[MAX_BYTES];
static int8_t weights[MAX_WEIGHTS];
static int32_t bias[MAX_CHANNELS];
static int32_t multiplier[MAX_CHANNELS];
static int8_t shift[MAX_CHANNELS];
static int32_t mean[MAX_CHANNELS];
static int32_t deviation[MAX_CHANNELS];

static tt_convolution convolution;
static tt_statistics_layer layer;
static const tt_statistics_layer *const layers[1] = {&layer};
static tt_statistics_constants constants = {.layer = layers};
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

static void receive_layer(void)
{
    int32_t numbers[5]; /* samples, share, depthwise, accumulator shift, reach */
    receive(&convolution, offsetof(tt_convolution, weights));
    receive(numbers, sizeof numbers);
    size_t channels = (size_t)convolution.output_channels;
    size_t taps = (size_t)(convolution.kernel_height * convolution.kernel_width);
    receive(weights, taps * channels * (numbers[2] ? 1u : (size_t)convolution.input_channels));
    receive(bias, 4u * channels);
    receive(multiplier, 4u * channels);
    receive(shift, channels);
    receive(mean, 4u * channels);
    receive(deviation, 4u * channels);
    convolution.weights = weights;
    layer = (tt_statistics_layer){.training = {.depthwise = numbers[2],
                                               .accumulator_shift = numbers[3],
                                               .reach = numbers[4],
                                               .mean = mean,
                                               .deviation = deviation},
                                  .convolution = &convolution,
                                  .bias = bias,
                                  .multiplier = multiplier,
                                  .shift = shift};
    constants.plan = (tt_statistics_plan){.layers = 1,
                                          .samples = numbers[0],
                                          .share = numbers[1],
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
    size_t channels = (size_t)convolution.output_channels;
    size_t bytes = TT_STATISTICS_BYTES(channels, channels);
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
    if (layer.training.depthwise) {
        tt_depthwise_conv_2d(&convolution, (const int8_t *)input, output);
    } else {
        tt_conv_2d(&convolution, (const int8_t *)input, output);
    }
    send(output, bytes);
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
    return 0;
}
