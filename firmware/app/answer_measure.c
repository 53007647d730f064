/* The answer to MEASURE: counts the instructions and the stack of one piece of work. */
#include "answers.h"
#include "port.h"
#include "tinytrain/protocol.h"

/* What a measured call works on. */
typedef struct measured {
    tt_device *device;
    uint16_t first; /* operators first to end - 1 */
    uint16_t end;
    uint16_t label;
    const uint8_t *input;
    const tt_serve *serve;
} measured;

static void observe_statistics(void *context)
{
    const measured *call = context;
    tt_device *device = call->device;
    (void)device->model->statistics->functions->observe(device->statistics, call->input);
}

static void step_stream(void *context)
{
    const measured *call = context;
    (void)call->serve->stream_functions->step(call->serve->stream);
}

static void run_operators(void *context)
{
    const measured *call = context;
    call->device->model->run(call->device->arena, call->first, call->end);
}

static void learn_features(void *context)
{
    const measured *call = context;
    const uint8_t *features = call->device->arena + call->device->model->features_offset;
    tt_device *device = call->device;
    if (device->learner != NULL) {
        const tt_learner_functions *functions = device->model->learner->functions;
        (void)functions->learn(device->learner, (const int8_t *)features, call->label);
    } else {
        (void)tt_head_learn(&device->head, (const int8_t *)features, call->label);
    }
}

/* Finds what MEASURE's kind counts: `work`, with its operators in `call`. */
static int32_t prepare_measure(tt_device *device, uint16_t kind, uint16_t label,
                               void (**work)(void *context), measured *call)
{
    const tt_model *model = device->model;
    *work = run_operators;
    if (kind == TT_MEASURE_INFERENCE) {
        call->first = 0;
        call->end = model->operators;
        return TT_OK;
    }
    if (kind == TT_MEASURE_LEARN_STEP) {
        if (model->head == NULL) {
            return TT_ERROR_NO_HEAD;
        }
        if (label >= tt_device_head(device)->rows.classes) {
            return TT_ERROR_LABEL;
        }
        *work = learn_features;
        call->first = model->head_operator;
        return TT_OK;
    }
    if (kind == TT_MEASURE_OBSERVE_STATISTICS) {
        *work = observe_statistics;
        call->first = 0;
        return call->device->statistics != NULL ? TT_OK : TT_ERROR_NO_STATISTICS;
    }
    if (kind == TT_MEASURE_STREAM_STEP) {
        *work = step_stream;
        call->first = 0;
        return call->serve->stream != NULL ? TT_OK : TT_ERROR_NO_STREAM;
    }
    if (kind - TT_MEASURE_OPERATOR >= model->operators) {
        return TT_ERROR_RANGE;
    }
    call->first = (uint16_t)(kind - TT_MEASURE_OPERATOR);
    call->end = (uint16_t)(call->first + 1);
    return TT_OK;
}

int32_t tt_answer_measure(tt_serve *serve, uint16_t kind, uint16_t label, const uint8_t *input)
{
    tt_device *device = serve->device;
    void (*work)(void *context);
    measured call = {.device = device, .label = label, .input = input, .serve = serve};
    uint64_t instructions;
    uint32_t stack_bytes;
    if (!tt_port_has_counter()) {
        return TT_ERROR_UNSUPPORTED;
    }
    int32_t status = prepare_measure(device, kind, label, &work, &call);
    if (status != TT_OK) {
        return status;
    }
    tt_load_input(device, input);
    device->model->run(device->arena, 0, call.first);
    tt_set_tracing(device, 0);
    int32_t counted = tt_port_measure(work, &call, &instructions, &stack_bytes);
    tt_set_tracing(device, 1);
    while (tt_work(device)) {
    }
    if (!counted) {
        return TT_ERROR_UNSUPPORTED;
    }
    reply_u32(serve, (uint32_t)instructions);
    reply_u32(serve, (uint32_t)(instructions >> 32));
    reply_u32(serve, stack_bytes);
    return TT_OK;
}
