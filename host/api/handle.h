/* What every handle begins with: who uses it now, and whether it is alive. */
#ifndef DUN_API_HANDLE_H
#define DUN_API_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

enum dun_handle_kind { DUN_HANDLE_CONFIG, DUN_HANDLE_TEXTS, DUN_HANDLE_RUN };

/* The first member of what a handle points to. */
typedef struct {
    enum dun_handle_kind kind;
    int users; /* that only read; -1: one who alone may use it */
} dun_handle;

/* Of what a program gives, which may be NULL, freed, or const to show that it is only read. */
#define DUN_HANDLE(pointer) ((dun_handle *)(uintptr_t)(pointer))

/* A new one is known from here on, to be left once it is filled: nobody else has it. DUN_FAILED: no memory.
 */
int dun_handle_begin(dun_handle *handle, enum dun_handle_kind kind);

/* Before a call uses one that a program gives: alone, or beside others who read. DUN_USAGE: it is NULL, not
 * alive, of another kind, or somebody is at work with it; `name` is the argument's. */
int dun_handle_enter(dun_handle *handle, enum dun_handle_kind kind, bool alone, const char *name);
void dun_handle_leave(dun_handle *handle);

/* Before it is freed: it is not known any more. False, with the error recorded and told to the log: as above;
 * it must not be freed. */
bool dun_handle_end(dun_handle *handle, enum dun_handle_kind kind);

#endif
