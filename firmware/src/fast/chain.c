/* Runs a chain of convolutions and additions row by row. */
#include "tinytrain/chain.h"

#include <stddef.h>

#include "tinytrain/arithmetic.h"

/* The first row of its inputs that a link reads for rows of its output from `row` on. */
static int32_t first_read(const tt_link *link, int32_t row)
{
    const tt_fast_convolution *p = link->convolution;
    if (p == NULL) {
        return row;
    }
    if (row == p->output_height) {
        return p->input_height;
    }
    return tt_clamp(row * p->stride_height - p->pad_top, 0, p->input_height);
}

/* How far its inputs have to be for it to be as far as `own`. */
static int32_t wanted_of_inputs(const tt_link *link, int32_t own, int32_t parts)
{
    const tt_fast_convolution *p = link->convolution;
    if (p == NULL) {
        return own;
    }
    int32_t below = p->kernel_height - p->pad_top;
    return tt_min((own - parts) * p->stride_height + below * parts, p->input_height * parts);
}

/* Which rows each link makes in this step, from the last link backwards: those that read one are
 * all behind it. */
static void plan_step(const tt_chain *chain, tt_link_rows *rows)
{
    int32_t last = chain->links - 1;
    for (int32_t i = 0; i < last; i++) {
        rows[i].wanted = INT32_MIN;
        rows[i].keep = INT32_MAX;
    }
    int32_t all = chain->link[last].rows * chain->parts;
    rows[last].wanted = tt_min(rows[last].wanted + chain->rows, all);
    for (int32_t i = last; i >= 0; i--) {
        const tt_link *link = &chain->link[i];
        /* Rows between the windows of a large stride are passed over. */
        rows[i].begin = tt_max(rows[i].made, rows[i].keep);
        rows[i].end = tt_max(rows[i].wanted / chain->parts, rows[i].begin);
        int32_t keep = first_read(link, rows[i].begin);
        int32_t wanted = wanted_of_inputs(link, rows[i].wanted, chain->parts);
        for (int32_t k = 0; k < 2 && link->input[k] >= 0; k++) {
            tt_link_rows *input = &rows[link->input[k]];
            input->keep = tt_min(input->keep, keep);
            input->wanted = tt_max(input->wanted, wanted);
        }
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

/* Where a row of a link lies. */
static int8_t *row_of(const tt_chain *chain, const tt_link_rows *rows, uint8_t *arena, int32_t i,
                      int32_t row)
{
    const tt_link *link = &chain->link[i];
    return (int8_t *)arena + link->offset + (ptrdiff_t)(row - rows[i].first) * link->row_bytes;
}

/* Moves the rows that are still needed to the buffer's start, where new ones have no room. */
static void make_room(const tt_link *link, tt_link_rows *rows, int8_t *buffer)
{
    if (rows->end - rows->first <= link->rows) {
        return;
    }
    if (rows->made > rows->keep) {
        const int8_t *kept = buffer + (ptrdiff_t)(rows->keep - rows->first) * link->row_bytes;
        move_down(buffer, kept, (rows->made - rows->keep) * link->row_bytes);
    }
    rows->first = rows->keep;
}

/* The rows of link `i` that this step makes. */
static void make_rows(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, int32_t i,
                      void *scratch)
{
    const tt_link *link = &chain->link[i];
    make_room(link, &rows[i], (int8_t *)arena + link->offset);
    int32_t first = rows[i].begin;
    int32_t end = rows[i].end;
    int8_t *output = row_of(chain, rows, arena, i, first);
    if (link->convolution != NULL) {
        const int8_t *input = (const int8_t *)arena + chain->link[link->input[0]].offset;
        tt_band band = {rows[link->input[0]].first, first, end};
        link->convolution_kernel(link->convolution, &band, input, output, scratch);
    } else {
        link->addition_kernel(link->addition, row_of(chain, rows, arena, link->input[0], first),
                              row_of(chain, rows, arena, link->input[1], first), output,
                              (end - first) * link->row_bytes);
    }
}

void tt_run_chain(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, void *scratch)
{
    int32_t last = chain->links - 1;
    for (int32_t i = 0; i <= last; i++) {
        const tt_link *link = &chain->link[i];
        /* A whole tensor's rows are all there. */
        rows[i] = (tt_link_rows){0, link->input[0] < 0 ? link->rows : 0, 0, 0, 0, 0};
    }
    rows[last].wanted = chain->start;
    while (rows[last].made < chain->link[last].rows) {
        plan_step(chain, rows);
        for (int32_t i = 0; i <= last; i++) {
            if (rows[i].begin < rows[i].end) {
                make_rows(chain, rows, arena, i, scratch);
            }
            rows[i].made = rows[i].end;
        }
    }
}
