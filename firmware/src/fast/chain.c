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

/* The row behind the last one that it reads for rows of its output up to end - 1. */
static int32_t read_end(const tt_link *link, int32_t end)
{
    const tt_fast_convolution *p = link->convolution;
    if (p == NULL) {
        return end;
    }
    int32_t bottom = (end - 1) * p->stride_height - p->pad_top + p->kernel_height;
    return tt_clamp(bottom, 0, p->input_height);
}

/* What a link, whose own rows of this step are known, reads of one of its inputs. */
static void need_rows(const tt_link *link, const tt_link_rows *own, tt_link_rows *input)
{
    input->keep = tt_min(input->keep, first_read(link, own->begin));
    if (own->begin < own->end) {
        input->end = tt_max(input->end, read_end(link, own->end));
    }
}

/* Which rows each link makes in this step, from the last link backwards: those that read one are
 * all behind it. */
static void plan_step(const tt_chain *chain, tt_link_rows *rows)
{
    int32_t last = chain->links - 1;
    for (int32_t i = 0; i < last; i++) {
        rows[i].keep = INT32_MAX;
        rows[i].end = rows[i].made;
    }
    rows[last].end = tt_min(rows[last].made + chain->rows, chain->link[last].rows);
    for (int32_t i = last; i >= 0; i--) {
        const tt_link *link = &chain->link[i];
        /* Rows between the windows of a large stride are passed over. */
        rows[i].begin = tt_max(rows[i].made, rows[i].keep);
        rows[i].end = tt_max(rows[i].end, rows[i].begin);
        if (link->input1 >= 0) {
            need_rows(link, &rows[i], &rows[link->input1]);
        }
        if (link->input2 >= 0) {
            need_rows(link, &rows[i], &rows[link->input2]);
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
        const int8_t *input = (const int8_t *)arena + chain->link[link->input1].offset;
        tt_band band = {rows[link->input1].first, first, end};
        link->convolution_kernel(link->convolution, &band, input, output, scratch);
    } else {
        link->addition_kernel(link->addition, row_of(chain, rows, arena, link->input1, first),
                              row_of(chain, rows, arena, link->input2, first), output,
                              (end - first) * link->row_bytes);
    }
}

void tt_run_chain(const tt_chain *chain, tt_link_rows *rows, uint8_t *arena, void *scratch)
{
    int32_t last = chain->links - 1;
    for (int32_t i = 0; i <= last; i++) {
        const tt_link *link = &chain->link[i];
        rows[i] = (tt_link_rows){0, link->input1 < 0 ? link->rows : 0, 0, 0, 0};
    }
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
