/*
 * What the edge says.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "feed_impl.h"

#include <processing/jobs/callback_job.h>

static void on_welcome(feed_t* this, const struct sf_hello* hello) {
  bool anew;

  this->lock->lock(this->lock);
  anew = this->edge_boot != hello->boot && !this->restoring;
  this->edge_boot = hello->boot;
  this->welcome = TRUE;
  this->backoff = FEED_BACKOFF_MIN;
  this->restoring |= anew;
  this->lock->unlock(this->lock);
  DBG1(DBG_KNL, "connected to the edge, pid %u", hello->pid);
  if (anew) {
    lib->processor->queue_job(
        lib->processor, (job_t*)callback_job_create((callback_job_cb_t)feed_restore_all, this, NULL, NULL));
  }
}

static void on_reserve(feed_t* this, struct sf_reserve* reserve) {
  struct iovec body = {.iov_base = reserve, .iov_len = sizeof(*reserve)};

  reserve->known = store_reserve(this->store, reserve->spi, &reserve->dst, reserve->last);
  feed_post(this, SF_RESERVED, &body, 1);
}

static bool on_seen(feed_t* this, chunk_t rows) {
  if (!rows.len || rows.len % sizeof(struct sf_seen)) {
    return FALSE;
  }
  while (rows.len) {
    struct sf_seen seen;

    memcpy(&seen, rows.ptr, sizeof(seen));
    store_seen(this->store, seen.spi, seen.sequence);
    rows = chunk_skip(rows, sizeof(seen));
  }
  return TRUE;
}

static void on_reply(feed_t* this, uint32_t id, const struct sf_reply* reply) {
  enumerator_t* enumerator;
  pending_t* request;

  this->lock->lock(this->lock);
  enumerator = this->pending->create_enumerator(this->pending);
  while (enumerator->enumerate(enumerator, &request)) {
    if (request->id == id) {
      request->reply = *reply;
      request->done = request->answered = TRUE;
      break;
    }
  }
  enumerator->destroy(enumerator);
  this->changed->broadcast(this->changed);
  this->lock->unlock(this->lock);
}

static void on_ike(feed_t* this, const struct sf_ike* ike, chunk_t datagram) {
  host_t *src = feed_host(&ike->src), *dst = feed_host(&ike->dst);
  chunk_t marker = chunk_from_chars(0x00, 0x00, 0x00, 0x00);

  if (!src || !dst || !datagram.len) {
    DBG1(DBG_NET, "the edge sent an IKE datagram without addresses or content");
    DESTROY_IF(src);
    DESTROY_IF(dst);
    return;
  }
  if (ref_cur(&this->queued) >= FEED_QUEUE_MAX) {
    src->destroy(src);
    dst->destroy(dst);
    return;
  }
  feed_remember_local(this, dst);
  datagram = feed_marker_expected(src, dst) ? chunk_cat("cc", marker, datagram) : chunk_clone(datagram);
  ref_get(&this->queued);
  this->queue->enqueue(this->queue, packet_create_from_data(src, dst, datagram));
}

static void on_expire(const struct sf_expire* expire) {
  host_t* dst = feed_host(&expire->dst);

  if (dst) {
    charon->kernel->expire(charon->kernel, expire->protocol, htonl(expire->spi), dst, expire->hard);
    dst->destroy(dst);
  }
}

static void on_mapping(const struct sf_mapping* mapping) {
  host_t *dst = feed_host(&mapping->dst), *remote = feed_host(&mapping->new_remote);

  if (dst && remote) {
    charon->kernel->mapping(charon->kernel, IPPROTO_ESP, htonl(mapping->spi), dst, remote);
  }
  DESTROY_IF(dst);
  DESTROY_IF(remote);
}

bool feed_dispatch(feed_t* this, chunk_t frame) {
  struct sf_header header;
  union {
    struct sf_hello hello;
    struct sf_reply reply;
    struct sf_ike ike;
    struct sf_expire expire;
    struct sf_mapping mapping;
    struct sf_reserve reserve;
  } body;
  size_t size;

  if (frame.len < sizeof(header)) {
    return FALSE;
  }
  memcpy(&header, frame.ptr, sizeof(header));
  frame = chunk_skip(frame, sizeof(header));
  if (header.version != SF_VERSION) {
    DBG1(DBG_KNL, "the edge speaks sa-feed version %u, this plugin %u: install matching versions",
         header.version, SF_VERSION);
    return FALSE;
  }
  if (header.type == SF_SEEN) {
    return on_seen(this, frame);
  }
  switch (header.type) {
    case SF_WELCOME:
      size = sizeof(body.hello);
      break;
    case SF_REPLY:
      size = sizeof(body.reply);
      break;
    case SF_IKE_IN:
      size = sizeof(body.ike);
      break;
    case SF_EXPIRE:
      size = sizeof(body.expire);
      break;
    case SF_MAPPING:
      size = sizeof(body.mapping);
      break;
    case SF_RESERVE:
      size = sizeof(body.reserve);
      break;
    default:
      DBG1(DBG_KNL, "ignoring sa-feed frame of unknown type %u", header.type);
      return TRUE;
  }
  if (frame.len < size || (header.type != SF_IKE_IN && frame.len != size)) {
    DBG1(DBG_KNL, "sa-feed frame of type %u has a wrong length", header.type);
    return FALSE;
  }
  memcpy(&body, frame.ptr, size);
  switch (header.type) {
    case SF_WELCOME:
      on_welcome(this, &body.hello);
      break;
    case SF_REPLY:
      on_reply(this, header.id, &body.reply);
      break;
    case SF_IKE_IN:
      on_ike(this, &body.ike, chunk_skip(frame, size));
      break;
    case SF_EXPIRE:
      on_expire(&body.expire);
      break;
    case SF_MAPPING:
      on_mapping(&body.mapping);
      break;
    case SF_RESERVE:
      on_reserve(this, &body.reserve);
      break;
  }
  return TRUE;
}
