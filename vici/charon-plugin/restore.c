/*
 * An edge that started anew is given the SAs of the one before.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "feed_impl.h"

#include <processing/jobs/delete_ike_sa_job.h>

/** How long a change of an SA waits for a restoration to end, in ms. */
#define RESTORE_PATIENCE 5000

uint64_t feed_settled(feed_t* this) {
  timeval_t until;
  uint64_t boot;

  time_monotonic(&until);
  timeval_add_ms(&until, RESTORE_PATIENCE);
  this->lock->lock(this->lock);
  while (this->restoring) {
    if (this->changed->timed_wait_abs(this->changed, this->lock, until)) {
      break;
    }
  }
  boot = this->welcome ? this->edge_boot : 0;
  this->lock->unlock(this->lock);
  return boot;
}

/** Peers whose SAs the edge does not take again are told that they are over, so that they dial again. */
static void end_ike_sa(uint32_t uid) {
  ike_sa_t* ike_sa = charon->ike_sa_manager->checkout_by_id(charon->ike_sa_manager, uid);

  if (ike_sa) {
    lib->processor->queue_job(lib->processor, (job_t*)delete_ike_sa_job_create(ike_sa->get_id(ike_sa), TRUE));
    charon->ike_sa_manager->checkin(charon->ike_sa_manager, ike_sa);
  }
}

/** Whether this edge is still there. */
static bool still_there(feed_t* this, uint64_t boot) {
  bool there;

  this->lock->lock(this->lock);
  there = this->welcome && this->edge_boot == boot;
  this->lock->unlock(this->lock);
  return there;
}

/** Gives an edge what it does not have; writes the IKE_SAs of those it refused to `refused`. */
static void restore_for(feed_t* this, uint64_t boot, linked_list_t* refused) {
  struct sf_restored result = {0};
  struct iovec done = {.iov_base = &result, .iov_len = sizeof(result)};
  stored_name_t* names;
  int count, i;

  names = store_missing(this->store, boot, &count);
  for (i = 0; i < count && still_there(this, boot); i++) {
    stored_t stored;
    struct sf_reply reply;
    struct iovec body[] = {{.iov_base = &stored.sa, .iov_len = sizeof(stored.sa)}, {.iov_base = stored.keys}};

    if (!store_restore(this->store, &names[i], boot, &stored)) {
      continue;
    }
    body[1].iov_len = (size_t)stored.sa.encr_key_size + stored.sa.integ_key_size;
    if (feed_request(this, SF_ADD_SA, body, countof(body), &reply) == SUCCESS) {
      result.count++;
    } else if (still_there(this, boot)) {
      DBG1(DBG_KNL, "the edge does not take SA %.8x again", stored.sa.spi);
      result.failed++;
      refused->insert_last(refused, (void*)(uintptr_t)stored.sa.ike_uid);
    }
    memwipe(&stored, sizeof(stored));
  }
  free(names);
  feed_post(this, SF_RESTORED, &done, 1);
  if (count) {
    DBG1(DBG_KNL, "the edge started anew and took %u SAs again, %u not", result.count, result.failed);
  }
}

/** An edge that started anew knows nothing of our SAs. */
job_requeue_t feed_restore_all(feed_t* this) {
  linked_list_t* refused = linked_list_create();
  uint64_t boot;
  void* uid;

  this->lock->lock(this->lock);
  do {
    boot = this->edge_boot;
    this->lock->unlock(this->lock);
    restore_for(this, boot, refused);
    this->lock->lock(this->lock);
  } while (this->edge_boot != boot);
  this->restoring = FALSE;
  this->changed->broadcast(this->changed);
  this->lock->unlock(this->lock);
  /* threads that hold an IKE_SA may have waited for the above */
  while (refused->remove_first(refused, &uid) == SUCCESS) {
    end_ike_sa((uint32_t)(uintptr_t)uid);
  }
  refused->destroy(refused);
  return JOB_REQUEUE_NONE;
}
