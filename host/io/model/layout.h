/* Where the slots of a model lie among the tensors of its files: the tables of layout.def, by form and
 * architecture. */
#ifndef DUN_LAYOUT_H
#define DUN_LAYOUT_H

#include "io/model/stored.h"
#include "model/spec.h"

enum dun_form { DUN_FORM_GGUF, DUN_FORM_HF };

enum dun_part {
    DUN_PART_WHOLE,
    DUN_PART_Q_OF_QKV,
    DUN_PART_K_OF_QKV,
    DUN_PART_V_OF_QKV,
    DUN_PART_GATE_OF_BOTH,
    DUN_PART_UP_OF_BOTH,
    DUN_PART_Q_OF_HEADS,
    DUN_PART_K_OF_HEADS,
    DUN_PART_V_OF_HEADS,
    DUN_PART_Q_OF_GROUPS,
    DUN_PART_K_OF_GROUPS,
    DUN_PART_V_OF_GROUPS,
    DUN_PART_EACH
};

/* Row r of a slot is row first + r / group * stride + r % group of `total` stored ones. */
typedef struct {
    uint32_t first, group, stride, total;
} dun_part_rows;

/* A slot found. */
typedef struct {
    const dun_stored *tensor; /* NULL: nowhere; of EACH that of head 0 */
    enum dun_part part;
    bool turned;      /* stored as (inputs, outputs) */
    const char *name; /* of layout.def, for messages and the other heads */
} dun_place;

/* The order of rotary components in such files. */
enum dun_pairs dun_layout_pairs(enum dun_form form, const dun_arch *arch);

/* What is to be added to a slot's values, which its files lack. */
float dun_layout_added(enum dun_form form, const dun_arch *arch, enum dun_slot slot);

/* Finds a slot's place. Without a spec the first whose tensor is there; with one, the first that has as many
 * rows as its part demands, else the first that is there. */
void dun_layout_find(dun_place *out, enum dun_form form, const dun_arch *arch, const dun_spec *spec,
                     enum dun_slot slot, uint32_t layer, const dun_stored_list *list);

/* The traits of the model in these files, by the slots of its first layer. */
dun_traits dun_layout_traits(enum dun_form form, const dun_arch *arch, const dun_stored_list *list);

dun_part_rows dun_layout_rows(enum dun_part part, const dun_spec *spec, enum dun_slot slot);

/* The name of a tensor that is missing: as other layers have it, else the one that its slot has first of all;
 * and the one of a place, with layer and head. */
void dun_layout_name(char *out, size_t size, enum dun_form form, const dun_arch *arch, const dun_spec *spec,
                     enum dun_slot slot, uint32_t layer, const dun_stored_list *list);
void dun_layout_expand(char *out, size_t size, const char *name, uint32_t layer, uint32_t head);

/* Whether a tensor may be left unused. */
bool dun_layout_is_leftover(enum dun_form form, const char *name);

#endif
