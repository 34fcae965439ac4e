/*
 * What the parts of the connection to the edge share.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_FEED_IMPL_H_
#define SLUICE_FEED_IMPL_H_

#include "feed.h"

#include <collections/blocking_queue.h>
#include <processing/jobs/job.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>

/** The shortest time between attempts to connect, in ms. */
#define FEED_BACKOFF_MIN 50
/** IKE datagrams that wait for charon's receiver; more are dropped, peers retransmit. */
#define FEED_QUEUE_MAX 4096

typedef struct pending_t pending_t;

/** A request under way; lives on its thread's stack. */
struct pending_t {
  uint32_t id;
  bool done;
  bool answered;
  struct sf_reply reply;
};

struct feed_t {
  char* path;
  mutex_t* lock; /* guards all below but the queue */
  condvar_t* changed;
  thread_t* thread;
  int fd; /* -1 while there is no edge */
  bool stop;
  bool welcome; /* the edge at the other end has answered */
  u_int backoff;
  uint32_t next_id;
  linked_list_t* pending;
  linked_list_t* locals;
  uint64_t boot, edge_boot;
  store_t* store;
  bool restoring; /* an edge that started anew is being given our SAs */
  u_int linger;   /* seconds */
  time_t alone_since;
  blocking_queue_t* queue;
  refcount_t queued;
};

/**
 * Does what a frame from the edge says. FALSE if the edge speaks something else. The feed's thread.
 */
bool feed_dispatch(feed_t* this, chunk_t frame);

/**
 * Gives an edge that started anew the SAs that there are: it knows nothing of them. A job.
 */
job_requeue_t feed_restore_all(feed_t* this);

/**
 * A peer dialled this address.
 */
void feed_remember_local(feed_t* this, host_t* local);

#endif
