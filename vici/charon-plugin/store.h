/*
 * The SAs that the edge was given, kept so that an edge which starts anew can be given them again, and marks
 * that keep it from using a sequence number twice.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_STORE_H_
#define SLUICE_STORE_H_

#include <library.h>

#include "vici/sa_feed.h"

typedef struct store_t store_t;

/** One SA as it is told to an edge. It holds keys: memwipe() it after use. */
typedef struct {
  struct sf_sa sa;
  u_char keys[2 * SF_MAX_KEY]; /* the encryption key, behind it the integrity key */
  uint64_t ordinal;            /* in order of installation */
} stored_t;

/** All of it may be called from any thread. */
store_t* store_create(void);
/** Wipes the keys. */
void store_destroy(store_t* this);

/** In place of one of the same name. `boot` names the edge that has it. */
void store_add(store_t* this, const stored_t* added, uint64_t boot);
/** What the edge gave with an SA. */
void store_note(store_t* this, uint32_t spi, const struct sf_address* dst, const char* note);
void store_update(store_t* this, const struct sf_update_sa* update);
void store_remove(store_t* this, uint32_t spi, const struct sf_address* dst);
void store_flush(store_t* this);
/** The IKE_SA of some SAs has another unique id now. */
void store_rename(store_t* this, uint32_t old_uid, uint32_t new_uid);

/** An outbound SA's sequence numbers up to `last` are taken. FALSE if there is no such SA. */
bool store_reserve(store_t* this, uint32_t spi, const struct sf_address* dst, uint64_t last);
/** An inbound SA has got so far. */
void store_seen(store_t* this, uint32_t spi, uint64_t sequence);

/** Names an SA. */
typedef struct {
  uint64_t ordinal;
  uint32_t spi;
  struct sf_address dst;
} stored_name_t;

/** The SAs that an edge does not have, in order of installation; the caller frees them. */
stored_name_t* store_missing(store_t* this, uint64_t boot, int* count);
/**
 * An SA for an edge that starts anew: from here on that edge has it. Its outbound sequence numbers begin
 * where no edge before can have been. FALSE if it is gone meanwhile.
 */
bool store_restore(store_t* this, const stored_name_t* name, uint64_t boot, stored_t* out);

#endif
