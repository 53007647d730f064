/* Answers about normalization statistics, through the model's own table of functions. */
#include <stddef.h>

#include "answers.h"
#include "tinytrain/statistics.h"
#include "tinytrain/status.h"

static void reply_statistics(tt_serve *serve, uint32_t crc)
{
    const tt_statistics *statistics = serve->device->statistics;
    int32_t layers = serve->device->model->statistics->plan.layers;
    reply_u32(serve, crc);
    reply_u32(serve, (uint32_t)statistics->trial.gain);
    reply_u32(serve, statistics->trial.squares);
    reply_u16(serve, (uint16_t)statistics->trial.samples);
    reply_u16(serve, (uint16_t)(layers - statistics->layer));
    reply_u16(serve, (uint16_t)statistics->samples);
    reply_u16(serve, (uint16_t)statistics->state);
}

int32_t tt_answer_observe_statistics(tt_serve *serve, const uint8_t *input)
{
    tt_statistics *statistics = serve->device->statistics;
    if (statistics == NULL) {
        return TT_ERROR_NO_STATISTICS;
    }
    const tt_statistics_functions *functions = serve->device->model->statistics->functions;
    int32_t layer = statistics->layer;
    int32_t looks = statistics->state == TT_STATISTICS_ESTIMATING;
    (void)functions->observe(statistics, input);
    reply_statistics(serve, looks ? functions->trace(statistics, layer) : 0);
    return TT_OK;
}

int32_t tt_answer_judge_statistics(tt_serve *serve, uint16_t label, const uint8_t *input)
{
    tt_statistics *statistics = serve->device->statistics;
    if (statistics == NULL) {
        return TT_ERROR_NO_STATISTICS;
    }
    int32_t state = serve->device->model->statistics->functions->judge(statistics, input, label);
    if (state < 0) {
        return state;
    }
    reply_statistics(serve, 0);
    return TT_OK;
}
