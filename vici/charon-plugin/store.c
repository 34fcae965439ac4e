/*
 * The SAs that the edge was given.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include <collections/hashtable.h>
#include <threading/mutex.h>

typedef struct record_t record_t;

struct record_t {
  stored_t stored;
  uint64_t boot; /* of the edge that has it */
  time_t installed;
};

struct store_t {
  mutex_t* lock;
  hashtable_t* records; /* record_t, by SPI and destination */
  hashtable_t* inbound; /* the same, inbound ones by SPI: the edge picks those, each once */
  uint64_t next_ordinal;
};

static u_int hash(const void* key) {
  const record_t* record = key;

  return record->stored.sa.spi ^ record->stored.sa.spi >> 16; /* the low bits name a worker */
}

static bool equals(const void* a, const void* b) {
  const struct sf_sa *one = &((const record_t*)a)->stored.sa, *other = &((const record_t*)b)->stored.sa;

  return one->spi == other->spi && one->dst.family == other->dst.family &&
         memeq(one->dst.bytes, other->dst.bytes, sizeof(one->dst.bytes));
}

static bool equals_spi(const void* a, const void* b) {
  return ((const record_t*)a)->stored.sa.spi == ((const record_t*)b)->stored.sa.spi;
}

static void destroy(record_t* record) {
  if (record) {
    memwipe(record, sizeof(*record));
    free(record);
  }
}

static record_t key_of(uint32_t spi, const struct sf_address* dst) {
  record_t key = {.stored = {.sa = {.spi = spi, .dst = *dst}}};

  return key;
}

static void clear(store_t* this) {
  enumerator_t* enumerator = this->records->create_enumerator(this->records);
  record_t* record;
  void* value;

  while (enumerator->enumerate(enumerator, &record, &value)) {
    this->records->remove_at(this->records, enumerator);
    this->inbound->remove(this->inbound, record);
    destroy(record);
  }
  enumerator->destroy(enumerator);
}

store_t* store_create(void) {
  store_t* this;

  INIT(this, .lock = mutex_create(MUTEX_TYPE_DEFAULT), .records = hashtable_create(hash, equals, 1024),
       .inbound = hashtable_create(hash, equals_spi, 1024), );
  return this;
}

void store_destroy(store_t* this) {
  clear(this);
  this->records->destroy(this->records);
  this->inbound->destroy(this->inbound);
  this->lock->destroy(this->lock);
  free(this);
}

/* `lock` is held in these two */
static record_t* take(store_t* this, const record_t* key) {
  record_t* record = this->records->remove(this->records, key);

  if (record && record->stored.sa.inbound) {
    this->inbound->remove(this->inbound, record);
  }
  return record;
}

static void put(store_t* this, record_t* record) {
  destroy(take(this, record));
  this->records->put(this->records, record, record);
  if (record->stored.sa.inbound) {
    this->inbound->put(this->inbound, record, record);
  }
}

void store_add(store_t* this, const stored_t* added, uint64_t boot) {
  record_t* record;

  INIT(record, .stored = *added, .boot = boot, .installed = time_monotonic(NULL), );
  this->lock->lock(this->lock);
  record->stored.ordinal = ++this->next_ordinal;
  put(this, record);
  this->lock->unlock(this->lock);
}

void store_note(store_t* this, uint32_t spi, const struct sf_address* dst, const char* note) {
  record_t key = key_of(spi, dst), *record;

  this->lock->lock(this->lock);
  record = this->records->get(this->records, &key);
  if (record) {
    strncpy(record->stored.sa.note, note, SF_MAX_NOTE - 1);
  }
  this->lock->unlock(this->lock);
}

void store_update(store_t* this, const struct sf_update_sa* update) {
  record_t key = key_of(update->sa.spi, &update->sa.dst), *record;

  this->lock->lock(this->lock);
  record = take(this, &key);
  if (record) {
    struct sf_sa* sa = &record->stored.sa;

    sa->src = update->new_src;
    sa->dst = update->new_dst;
    sa->encap = update->new_encap;
    if (!sa->encap) {
      sa->src.port = sa->dst.port = 0;
    }
    put(this, record);
  }
  this->lock->unlock(this->lock);
}

void store_remove(store_t* this, uint32_t spi, const struct sf_address* dst) {
  record_t key = key_of(spi, dst);

  this->lock->lock(this->lock);
  destroy(take(this, &key));
  this->lock->unlock(this->lock);
}

void store_flush(store_t* this) {
  this->lock->lock(this->lock);
  clear(this);
  this->lock->unlock(this->lock);
}

void store_rename(store_t* this, uint32_t old_uid, uint32_t new_uid) {
  enumerator_t* enumerator;
  record_t* record;
  void* value;

  this->lock->lock(this->lock);
  enumerator = this->records->create_enumerator(this->records);
  while (enumerator->enumerate(enumerator, &record, &value)) {
    if (record->stored.sa.ike_uid == old_uid) {
      record->stored.sa.ike_uid = new_uid;
    }
  }
  enumerator->destroy(enumerator);
  this->lock->unlock(this->lock);
}

static void raise_to(record_t* record, uint64_t last) {
  if (!record->stored.sa.inbound) {
    record->stored.sa.reserved = max(record->stored.sa.reserved, last);
  }
}

bool store_reserve(store_t* this, uint32_t spi, const struct sf_address* dst, uint64_t last) {
  record_t key = key_of(spi, dst), *record;
  enumerator_t* enumerator;
  void* value;
  bool found = FALSE;

  this->lock->lock(this->lock);
  record = this->records->get(this->records, &key);
  if (record) {
    raise_to(record, last);
    found = TRUE;
  } else {
    /* the edge may know before charon that the peer moved: every SA that it can mean */
    enumerator = this->records->create_enumerator(this->records);
    while (enumerator->enumerate(enumerator, &record, &value)) {
      if (record->stored.sa.spi == spi && !record->stored.sa.inbound) {
        raise_to(record, last);
        found = TRUE;
      }
    }
    enumerator->destroy(enumerator);
  }
  this->lock->unlock(this->lock);
  return found;
}

void store_seen(store_t* this, uint32_t spi, uint64_t sequence) {
  record_t key = {.stored = {.sa = {.spi = spi}}}, *record;

  this->lock->lock(this->lock);
  record = this->inbound->get(this->inbound, &key);
  if (record) {
    record->stored.sa.last_sequence = max(record->stored.sa.last_sequence, sequence);
  }
  this->lock->unlock(this->lock);
}

static int by_ordinal(const void* a, const void* b) {
  const uint64_t one = ((const stored_name_t*)a)->ordinal, other = ((const stored_name_t*)b)->ordinal;

  return one < other ? -1 : one > other;
}

stored_name_t* store_missing(store_t* this, uint64_t boot, int* count) {
  enumerator_t* enumerator;
  stored_name_t* out;
  record_t* record;
  void* value;

  *count = 0;
  this->lock->lock(this->lock);
  out = calloc(this->records->get_count(this->records) + 1, sizeof(*out));
  enumerator = this->records->create_enumerator(this->records);
  while (enumerator->enumerate(enumerator, &record, &value)) {
    if (record->boot != boot) {
      out[*count].ordinal = record->stored.ordinal;
      out[*count].spi = record->stored.sa.spi;
      out[(*count)++].dst = record->stored.sa.dst;
    }
  }
  enumerator->destroy(enumerator);
  this->lock->unlock(this->lock);
  qsort(out, (size_t)*count, sizeof(*out), by_ordinal);
  return out;
}

/** What is left of a limit by time; 0 stays "none". */
static uint64_t left(uint64_t seconds, time_t spent) {
  return !seconds ? 0 : seconds > (uint64_t)spent ? seconds - (uint64_t)spent : 1;
}

bool store_restore(store_t* this, const stored_name_t* name, uint64_t boot, stored_t* out) {
  record_t key = key_of(name->spi, &name->dst), *record;

  this->lock->lock(this->lock);
  record = this->records->get(this->records, &key);
  if (record) {
    struct sf_sa* sa = &record->stored.sa;
    time_t spent = time_monotonic(NULL) - record->installed;

    if (!sa->inbound) {
      /* whatever was reserved may have been used */
      sa->last_sequence = sa->reserved;
      sa->reserved += SF_RESERVE_CHUNK;
    }
    sa->restored = 1;
    record->boot = boot;
    *out = record->stored;
    out->sa.lifetime.soft_seconds = left(sa->lifetime.soft_seconds, spent);
    out->sa.lifetime.hard_seconds = left(sa->lifetime.hard_seconds, spent);
  }
  this->lock->unlock(this->lock);
  return record != NULL;
}
