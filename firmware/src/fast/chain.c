/* Runs a chain of convolutions row by row. */
#include "tinytrain/chain.h"

#include <stddef.h>

#include "tinytrain/arithmetic.h"

/* Which rows each layer makes in this step, from the last layer's backwards. */
static void plan_step(const tt_chain *chain, tt_link_rows *rows)
{
    for (int32_t i = chain->links - 1; i > 0; i--) {
        const tt_fast_convolution *p = chain->link[i].layer;
        tt_link_rows *input = &rows[i - 1];
        int32_t top = rows[i].begin * p->stride_height - p->pad_top;
        int32_t bottom = (rows[i].end - 1) * p->stride_height - p->pad_top + p->kernel_height;
        input->keep = tt_clamp(top, 0, p->input_height);
        /* Rows between the windows of a large stride are passed over. */
        input->begin = tt_max(input->made, input->keep);
        input->end = tt_clamp(bottom, input->begin, p->input_height);
    }
}

/* To lower addresses. */
static void move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    if (((uintptr_t)to | (uintptr_t)from) % 4u == 0u) {
        /* Most rows are whole words; the arena is one of words. */
        uint32_t *to_word = (void *)to;
        const uint32_t *from_word = (const void *)from;
        for (; bytes >= 4; bytes -= 4) {
            *to_word++ = *from_word++;
        }
        to = (int8_t *)to_word;
        from = (const int8_t *)from_word;
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* Moves the rows that are still needed to the buffer's start, where new ones have no room. */
static void make_room(const tt_link *link, tt_link_rows *rows, int8_t *buffer, int32_t row_bytes)
{
    if (rows->end - rows->first <= link->rows) {
        return;
    }
    if (rows->made > rows->keep) {
        const int8_t *kept = buffer + (ptrdiff_t)(rows->keep - rows->first) * row_bytes;
        move_down(buffer, kept, (rows->made - rows->keep) * row_bytes);
    }
    rows->first = rows->keep;
}

void tt_run_chain(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, void *scratch)
{
    tt_link_rows *last = &rows[chain->links - 1];
    int32_t height = chain->link[chain->links - 1].layer->output_height;
    for (int32_t i = 0; i < chain->links; i++) {
        rows[i] = (tt_link_rows){0, 0, 0, 0, 0};
    }
    while (last->made < height) {
        last->begin = last->made;
        last->end = last->made + tt_min(chain->rows, height - last->made);
        plan_step(chain, rows);
        const int8_t *input = (const int8_t *)(arena + chain->input_offset);
        int32_t input_first = 0;
        for (int32_t i = 0; i < chain->links; i++) {
            const tt_link *link = &chain->link[i];
            const tt_fast_convolution *p = link->layer;
            int8_t *buffer = (int8_t *)(arena + link->offset);
            int32_t row_bytes = p->output_width * p->output_channels;
            tt_band band = {input_first, rows[i].begin, rows[i].end};
            if (band.first < band.end) {
                make_room(link, &rows[i], buffer, row_bytes);
                link->kernel(p, &band, input,
                             buffer + (ptrdiff_t)(band.first - rows[i].first) * row_bytes, scratch);
            }
            rows[i].made = rows[i].end;
            input = buffer;
            input_first = rows[i].first;
        }
    }
}
