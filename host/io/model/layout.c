/* Looking up places in the tables of layout.def. */
#include "io/model/layout.h"

#include <stdio.h>
#include <string.h>

enum family { GGUF, GGUF_FALCON, LLAMA, GEMMA2, PHI, STARCODER2, GPT2, NEOX, BLOOM, FALCON, OPT };
enum { NAME_BYTES = 128, TURNED_BIT = 64 };

typedef struct {
    enum family family;
    enum dun_slot slot;
    int part; /* enum dun_part, with TURNED_BIT where the tensor is turned */
    const char *name, *beside;
} place_row;

#define TURNED(part) part | TURNED_BIT
#define WHOLE DUN_PART_WHOLE
#define Q_OF_QKV DUN_PART_Q_OF_QKV
#define K_OF_QKV DUN_PART_K_OF_QKV
#define V_OF_QKV DUN_PART_V_OF_QKV
#define GATE_OF_BOTH DUN_PART_GATE_OF_BOTH
#define UP_OF_BOTH DUN_PART_UP_OF_BOTH
#define Q_OF_HEADS DUN_PART_Q_OF_HEADS
#define K_OF_HEADS DUN_PART_K_OF_HEADS
#define V_OF_HEADS DUN_PART_V_OF_HEADS
#define Q_OF_GROUPS DUN_PART_Q_OF_GROUPS
#define K_OF_GROUPS DUN_PART_K_OF_GROUPS
#define V_OF_GROUPS DUN_PART_V_OF_GROUPS
#define EACH DUN_PART_EACH
#define PLACE(family, slot, part, name) {family, DUN_W_##slot, part, name, NULL},
#define BESIDE(family, slot, part, name, other) {family, DUN_W_##slot, part, name, other},
#define LAYOUT(form, arch, family, base, added)
#define LEFTOVER(form, pattern)
static const place_row places[] = {
#include "io/model/layout.def"
};
#undef PLACE
#undef BESIDE
#undef LAYOUT
enum { N_PLACES = sizeof places / sizeof *places };

typedef struct {
    enum dun_form form;
    const char *arch; /* "": all others */
    enum family family, base;
    float added;
} layout_row;

#define PLACE(family, slot, part, name)
#define BESIDE(family, slot, part, name, other)
#define LAYOUT(form, arch, family, base, added) {DUN_FORM_##form, arch, family, base, added},
static const layout_row layouts[] = {
#include "io/model/layout.def"
};
#undef LAYOUT
#undef LEFTOVER

#define LAYOUT(form, arch, family, base, added)
#define LEFTOVER(form, pattern) {DUN_FORM_##form, pattern},
static const struct {
    enum dun_form form;
    const char *pattern;
} leftovers[] = {
#include "io/model/layout.def"
};

static const layout_row *row_of(enum dun_form form, const dun_arch *arch) {
    const layout_row *row = layouts;
    while (row->form != form || (row->arch[0] && strcmp(row->arch, arch->name) != 0))
        row++; /* the last of a form is for all */
    return row;
}

enum dun_pairs dun_layout_pairs(enum dun_form form, const dun_arch *arch) {
    return form == DUN_FORM_GGUF ? arch->gguf_pairs : DUN_PAIRS_HALF;
}

float dun_layout_added(enum dun_form form, const dun_arch *arch, enum dun_slot slot) {
    static const enum dun_slot norms[] = {DUN_W_FINAL_NORM,   DUN_W_ATTN_NORM, DUN_W_Q_NORM,
                                          DUN_W_K_NORM,       DUN_W_FFN_NORM,  DUN_W_POST_ATTN_NORM,
                                          DUN_W_POST_FFN_NORM};
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        if (norms[i] == slot)
            return row_of(form, arch)->added;
    return 0;
}

void dun_layout_expand(char *out, size_t size, const char *name, uint32_t layer, uint32_t head) {
    size_t used = 0;
    for (; *name && used + 1 < size; name++) {
        if (*name == '#' || *name == '@')
            used += (size_t)snprintf(out + used, size - used, "%u", *name == '#' ? layer : head);
        else
            out[used++] = *name;
    }
    out[used < size ? used : size - 1] = '\0';
}

/* The name in slots.def, of GGUF files. */
static void own_name(char *out, size_t size, enum dun_slot slot) {
    snprintf(out, size, "%s%s", dun_slot_table[slot].per_layer ? "blk.#." : "", dun_slot_table[slot].gguf);
}

/* A tensor by its whole name, or without the first part of it, which models that were saved without their
 * head lack. */
static const dun_stored *find_tensor(const dun_stored_list *list, enum dun_form form, const char *name,
                                     uint32_t layer) {
    char whole[NAME_BYTES];
    dun_layout_expand(whole, sizeof whole, name, layer, 0);
    const dun_stored *found = dun_stored_find(list, whole);
    const char *dot = strchr(whole, '.');
    return found || form == DUN_FORM_GGUF || !dot ? found : dun_stored_find(list, dot + 1);
}

/* Rows of a tensor as its part counts them: a vector's values, also where heads lie one below the other. */
static uint64_t rows_of(const dun_stored *tensor, const place_row *row) {
    if (dun_slot_table[row->slot].columns == DUN_SIZE_ONE)
        return tensor->dims[0] * tensor->dims[1];
    return row->part & TURNED_BIT ? tensor->dims[0] : tensor->dims[1];
}

static bool fits(const dun_stored *tensor, const place_row *row, const dun_spec *spec) {
    enum dun_part part = (enum dun_part)(row->part & ~TURNED_BIT);
    return !spec || part == DUN_PART_EACH ||
           rows_of(tensor, row) == dun_layout_rows(part, spec, row->slot).total;
}

/* Whether a place of a base is another slot's in the family: Llama's norm before the ffn is the one behind
 * attention where there are both. */
static bool is_taken(const place_row *row, enum family family) {
    for (size_t i = 0; i < N_PLACES && row->family != family; i++)
        if (places[i].family == family && places[i].slot != row->slot &&
            strcmp(places[i].name, row->name) == 0)
            return true;
    return false;
}

/* The places of a family's slot, or of the base of one; true once one fits. `out` keeps the first whose
 * tensor is there. */
static bool look(dun_place *out, const layout_row *layout, enum family family, const dun_spec *spec,
                 enum dun_slot slot, uint32_t layer, const dun_stored_list *list) {
    const enum dun_form form = layout->form;
    for (size_t i = 0; i < N_PLACES; i++) {
        const place_row *row = &places[i];
        if (row->family != family || row->slot != slot || is_taken(row, layout->family) ||
            (row->beside && !find_tensor(list, form, row->beside, layer)))
            continue;
        const dun_stored *tensor = find_tensor(list, form, row->name, layer);
        bool right = tensor && fits(tensor, row, spec);
        if (right || (tensor && !out->tensor))
            *out = (dun_place){tensor, (enum dun_part)(row->part & ~TURNED_BIT), row->part & TURNED_BIT,
                               row->name};
        if (right)
            return true;
    }
    return false;
}

/* The place that slots.def names. */
static bool look_own(dun_place *out, const dun_spec *spec, enum dun_slot slot, uint32_t layer,
                     const dun_stored_list *list) {
    char name[NAME_BYTES];
    own_name(name, sizeof name, slot);
    const dun_stored *tensor = find_tensor(list, DUN_FORM_GGUF, name, layer);
    const place_row row = {GGUF, slot, DUN_PART_WHOLE, "", NULL};
    if (tensor && !out->tensor)
        *out = (dun_place){tensor, DUN_PART_WHOLE, false, ""};
    return tensor && fits(tensor, &row, spec);
}

void dun_layout_find(dun_place *out, enum dun_form form, const dun_arch *arch, const dun_spec *spec,
                     enum dun_slot slot, uint32_t layer, const dun_stored_list *list) {
    const layout_row *row = row_of(form, arch);
    *out = (dun_place){0};
    if (row->family != row->base && look(out, row, row->family, spec, slot, layer, list))
        return;
    if (form == DUN_FORM_GGUF && look_own(out, spec, slot, layer, list))
        return;
    look(out, row, row->base, spec, slot, layer, list);
}

typedef struct {
    enum dun_form form;
    const dun_arch *arch;
    const dun_stored_list *list;
} searched;

static bool has_slot(const void *self, enum dun_slot slot) {
    const searched *s = self;
    dun_place place;
    dun_layout_find(&place, s->form, s->arch, NULL, slot, 0, s->list);
    return place.tensor;
}

dun_traits dun_layout_traits(enum dun_form form, const dun_arch *arch, const dun_stored_list *list) {
    const searched s = {form, arch, list};
    return dun_arch_traits(arch, has_slot, &s);
}

dun_part_rows dun_layout_rows(enum dun_part part, const dun_spec *spec, enum dun_slot slot) {
    const uint32_t D = spec->head_dim, HD = spec->n_heads * D, GD = spec->n_kv_heads * D, F = spec->ffn_width;
    const uint32_t rows = dun_spec_size(spec, dun_slot_table[slot].rows), of_group = HD / spec->n_kv_heads;
    const uint32_t qkv = HD + 2 * GD;
    switch (part) {
    case DUN_PART_Q_OF_QKV:
        return (dun_part_rows){0, HD, 0, qkv};
    case DUN_PART_K_OF_QKV:
        return (dun_part_rows){HD, GD, 0, qkv};
    case DUN_PART_V_OF_QKV:
        return (dun_part_rows){HD + GD, GD, 0, qkv};
    case DUN_PART_GATE_OF_BOTH:
        return (dun_part_rows){0, F, 0, 2 * F};
    case DUN_PART_UP_OF_BOTH:
        return (dun_part_rows){F, F, 0, 2 * F};
    case DUN_PART_Q_OF_HEADS:
        return (dun_part_rows){0, D, 3 * D, 3 * HD};
    case DUN_PART_K_OF_HEADS:
        return (dun_part_rows){D, D, 3 * D, 3 * HD};
    case DUN_PART_V_OF_HEADS:
        return (dun_part_rows){2 * D, D, 3 * D, 3 * HD};
    case DUN_PART_Q_OF_GROUPS:
        return (dun_part_rows){0, of_group, of_group + 2 * D, qkv};
    case DUN_PART_K_OF_GROUPS:
        return (dun_part_rows){of_group, D, of_group + 2 * D, qkv};
    case DUN_PART_V_OF_GROUPS:
        return (dun_part_rows){of_group + D, D, of_group + 2 * D, qkv};
    case DUN_PART_WHOLE:
    case DUN_PART_EACH:
        break;
    }
    return (dun_part_rows){0, rows, 0, rows};
}

/* The first place of a slot in the tables; the name in slots.def where there is none. */
static void first_name(char *out, size_t size, enum dun_form form, const dun_arch *arch, enum dun_slot slot) {
    const layout_row *row = row_of(form, arch);
    const enum family families[] = {row->family, row->base};
    own_name(out, size, slot);
    for (size_t f = 0; f < 2 && form == DUN_FORM_HF; f++)
        for (size_t i = 0; i < N_PLACES; i++)
            if (places[i].family == families[f] && places[i].slot == slot) {
                snprintf(out, size, "%s", places[i].name);
                return;
            }
}

void dun_layout_name(char *out, size_t size, enum dun_form form, const dun_arch *arch, const dun_spec *spec,
                     enum dun_slot slot, uint32_t layer, const dun_stored_list *list) {
    char name[NAME_BYTES] = "";
    const uint32_t layers = dun_slot_table[slot].per_layer ? spec->n_layers : 0;
    first_name(name, sizeof name, form, arch, slot);
    for (uint32_t other = 0; other < layers; other++) { /* as other layers have it */
        dun_place place;
        dun_layout_find(&place, form, arch, spec, slot, other, list);
        if (!place.tensor || !*place.name)
            continue;
        char whole[NAME_BYTES];
        dun_layout_expand(whole, sizeof whole, place.name, other, 0);
        const bool shortened = strcmp(whole, place.tensor->name) != 0; /* without its first part */
        snprintf(name, sizeof name, "%s", shortened ? strchr(place.name, '.') + 1 : place.name);
        break;
    }
    dun_layout_expand(out, size, name, layer, 0);
}

/* '*' stands for any characters. */
static bool matches(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool dun_layout_is_leftover(enum dun_form form, const char *name) {
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++)
        if (leftovers[i].form == form && matches(leftovers[i].pattern, name))
            return true;
    return false;
}
