/*
 * The connection to the edge.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "feed.h"

#include <collections/blocking_queue.h>
#include <errno.h>
#include <processing/jobs/callback_job.h>
#include <processing/jobs/delete_ike_sa_job.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>
#include <time.h>
#include <unistd.h>

/** How long a charon thread waits for the edge, in ms. */
#define REQUEST_TIMEOUT 2000
/** Between attempts to connect, in ms. */
#define BACKOFF_MIN 50
#define BACKOFF_MAX 200
/** How long a change of an SA waits for a restoration to end, in ms. */
#define RESTORE_PATIENCE 5000
/** IKE datagrams that wait for charon's receiver; more are dropped, peers retransmit. */
#define QUEUE_MAX 4096
#define LOCAL_MAX 64
#define PIECES_MAX 4

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

struct sf_address feed_address(host_t* host) {
  struct sf_address out;
  chunk_t raw;

  memset(&out, 0, sizeof(out));
  if (!host) {
    return out;
  }
  raw = host->get_address(host);
  if (raw.len == 4 || raw.len == 16) {
    out.family = raw.len == 4 ? 4 : 6;
    out.port = host->get_port(host);
    memcpy(out.bytes, raw.ptr, raw.len);
  }
  return out;
}

host_t* feed_host(const struct sf_address* address) {
  switch (address->family) {
    case 4:
      return host_create_from_chunk(AF_INET, chunk_create((u_char*)address->bytes, 4), address->port);
    case 6:
      return host_create_from_chunk(AF_INET6, chunk_create((u_char*)address->bytes, 16), address->port);
    default:
      return NULL;
  }
}

bool feed_marker_expected(host_t* a, host_t* b) {
  return a->get_port(a) != IKEV2_UDP_PORT && b->get_port(b) != IKEV2_UDP_PORT;
}

/** One packet on the socket; `lock` is held. TRUE if it was sent, errno otherwise. */
static bool transmit(feed_t* this, enum sf_type type, uint32_t id, const struct iovec* body, int pieces) {
  struct sf_header header = {.version = SF_VERSION, .type = (uint16_t)type, .id = id};
  struct iovec iov[PIECES_MAX + 1] = {{.iov_base = &header, .iov_len = sizeof(header)}};
  struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)pieces + 1};
  int i;

  if (this->fd == -1) {
    errno = ENOTCONN;
    return FALSE;
  }
  for (i = 0; i < pieces; i++) {
    iov[i + 1] = body[i];
  }
  return sendmsg(this->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) != -1;
}

bool feed_post(feed_t* this, enum sf_type type, const struct iovec* body, int pieces) {
  bool sent;

  this->lock->lock(this->lock);
  sent = transmit(this, type, 0, body, pieces);
  this->lock->unlock(this->lock);
  return sent;
}

static status_t to_status(const pending_t* request) {
  if (!request->answered) {
    return FAILED;
  }
  switch (request->reply.status) {
    case SF_OK:
      return SUCCESS;
    case SF_NOT_FOUND:
      return NOT_FOUND;
    case SF_NOT_SUPPORTED:
      return NOT_SUPPORTED;
    default:
      return FAILED;
  }
}

status_t feed_request(feed_t* this, enum sf_type type, const struct iovec* body, int pieces,
                      struct sf_reply* reply) {
  pending_t request = {.done = FALSE};
  timeval_t until;
  bool sent, cancelable;

  memset(reply, 0, sizeof(*reply));
  /* the request is on this thread's stack: it must not be cancelled while it is in the list */
  cancelable = thread_cancelability(FALSE);
  time_monotonic(&until);
  timeval_add_ms(&until, REQUEST_TIMEOUT);

  this->lock->lock(this->lock);
  request.id = ++this->next_id ? this->next_id : ++this->next_id;
  while (!(sent = transmit(this, type, request.id, body, pieces)) && errno == EAGAIN) {
    timeval_t now;

    this->changed->timed_wait(this->changed, this->lock, 20);
    time_monotonic(&now);
    if (timercmp(&now, &until, >)) {
      break;
    }
  }
  if (sent) {
    this->pending->insert_last(this->pending, &request);
    while (!request.done) {
      if (this->changed->timed_wait_abs(this->changed, this->lock, until)) {
        break;
      }
    }
    this->pending->remove(this->pending, &request, NULL);
  }
  this->lock->unlock(this->lock);
  thread_cancelability(cancelable);

  if (!request.answered) {
    DBG1(DBG_KNL, "the edge %s",
         !sent          ? "is not there"
         : request.done ? "went away"
                        : "did not answer in time");
  }
  *reply = request.reply;
  return to_status(&request);
}

packet_t* feed_dequeue(feed_t* this) {
  packet_t* packet = this->queue->dequeue(this->queue);

  ignore_result(ref_put(&this->queued));
  return packet;
}

linked_list_t* feed_local_addresses(feed_t* this) {
  linked_list_t* copy;

  this->lock->lock(this->lock);
  copy = this->locals->clone_offset(this->locals, offsetof(host_t, clone));
  this->lock->unlock(this->lock);
  return copy;
}

static void remember_local(feed_t* this, host_t* local) {
  enumerator_t* enumerator;
  host_t* known;
  bool found = FALSE;

  this->lock->lock(this->lock);
  enumerator = this->locals->create_enumerator(this->locals);
  while (!found && enumerator->enumerate(enumerator, &known)) {
    found = known->ip_equals(known, local);
  }
  enumerator->destroy(enumerator);
  if (!found) {
    if (this->locals->get_count(this->locals) >= LOCAL_MAX &&
        this->locals->remove_first(this->locals, (void**)&known) == SUCCESS) {
      known->destroy(known);
    }
    known = local->clone(local);
    known->set_port(known, 0);
    this->locals->insert_last(this->locals, known);
  }
  this->lock->unlock(this->lock);
}

store_t* feed_store(feed_t* this) {
  return this->store;
}

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
static job_requeue_t restore_all(feed_t* this) {
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

static void on_welcome(feed_t* this, const struct sf_hello* hello) {
  bool anew;

  this->lock->lock(this->lock);
  anew = this->edge_boot != hello->boot && !this->restoring;
  this->edge_boot = hello->boot;
  this->welcome = TRUE;
  this->backoff = BACKOFF_MIN;
  this->restoring |= anew;
  this->lock->unlock(this->lock);
  DBG1(DBG_KNL, "connected to the edge, pid %u", hello->pid);
  if (anew) {
    lib->processor->queue_job(lib->processor,
                              (job_t*)callback_job_create((callback_job_cb_t)restore_all, this, NULL, NULL));
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
  if (ref_cur(&this->queued) >= QUEUE_MAX) {
    src->destroy(src);
    dst->destroy(dst);
    return;
  }
  remember_local(this, dst);
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

/** FALSE if the edge speaks something else. */
static bool dispatch(feed_t* this, chunk_t frame) {
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

static int dial(feed_t* this) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  /* connect() to a unix socket waits while the listener's queue is full */
  struct timeval limit = {.tv_sec = 1};
  int fd;

  strncpy(address.sun_path, this->path, sizeof(address.sun_path) - 1);
  fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd == -1) {
    return -1;
  }
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd, (struct sockaddr*)&address, sizeof(address)) == -1) {
    close(fd);
    return -1;
  }
  return fd;
}

static void serve(feed_t* this) {
  u_char* buffer = malloc(SF_MAX_FRAME);
  ssize_t len;

  while ((len = recv(this->fd, buffer, SF_MAX_FRAME, 0)) != 0) {
    if (len == -1) {
      if (errno == EINTR) {
        continue;
      }
      break;
    }
    if (!dispatch(this, chunk_create(buffer, (size_t)len))) {
      break;
    }
  }
  free(buffer);
}

/** Every request under way fails now: its reply will never come. `lock` is held. */
static void fail_pending(feed_t* this) {
  enumerator_t* enumerator;
  pending_t* request;

  enumerator = this->pending->create_enumerator(this->pending);
  while (enumerator->enumerate(enumerator, &request)) {
    request->done = TRUE;
  }
  enumerator->destroy(enumerator);
  this->changed->broadcast(this->changed);
}

/** Without an edge charon is of no use to its peers, and nobody may be left to end it. */
static void check_linger(feed_t* this) {
  if (this->linger && time_monotonic(NULL) - this->alone_since >= this->linger) {
    DBG1(DBG_KNL, "no edge for %u s: ending", this->linger);
    this->linger = 0;
    kill(getpid(), SIGTERM);
  }
}

static void* run(void* arg) {
  feed_t* this = arg;
  struct sf_hello hello = {.boot = this->boot, .pid = (uint32_t)getpid()};
  struct iovec body = {.iov_base = &hello, .iov_len = sizeof(hello)};
  bool complained = FALSE;
  int fd;

  thread_cancelability(FALSE);
  this->lock->lock(this->lock);
  while (!this->stop) {
    this->lock->unlock(this->lock);
    fd = dial(this);
    this->lock->lock(this->lock);
    if (fd != -1) {
      this->fd = fd;
      if (!this->stop && transmit(this, SF_HELLO, 0, &body, 1)) {
        this->lock->unlock(this->lock);
        serve(this);
        this->lock->lock(this->lock);
        if (this->welcome && !this->stop) {
          DBG1(DBG_KNL, "lost the connection to the edge");
        }
        complained = FALSE;
      }
      this->fd = -1;
      if (this->welcome) {
        this->alone_since = time_monotonic(NULL);
      }
      this->welcome = FALSE;
      close(fd);
      fail_pending(this);
    } else if (!complained) {
      DBG1(DBG_KNL, "no edge at %s: %s; trying on", this->path, strerror(errno));
      complained = TRUE;
    }
    if (!this->stop) {
      check_linger(this);
      this->changed->timed_wait(this->changed, this->lock, this->backoff);
      this->backoff = min(this->backoff * 2, BACKOFF_MAX);
    }
  }
  this->lock->unlock(this->lock);
  return NULL;
}

feed_t* feed_create(const char* path, u_int linger) {
  feed_t* this;

  INIT(this, .path = strdup(path), .lock = mutex_create(MUTEX_TYPE_DEFAULT),
       .changed = condvar_create(CONDVAR_TYPE_DEFAULT), .fd = -1, .backoff = BACKOFF_MIN,
       .pending = linked_list_create(), .locals = linked_list_create(), .queue = blocking_queue_create(),
       .store = store_create(), .linger = linger, .alone_since = time_monotonic(NULL), );
  if (getrandom(&this->boot, sizeof(this->boot), 0) != sizeof(this->boot)) {
    this->boot = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
  }
  this->thread = thread_create(run, this);
  if (!this->thread) {
    feed_destroy(this);
    return NULL;
  }
  return this;
}

void feed_destroy(feed_t* this) {
  if (this->thread) {
    this->lock->lock(this->lock);
    this->stop = TRUE;
    if (this->fd != -1) {
      shutdown(this->fd, SHUT_RDWR);
    }
    this->changed->broadcast(this->changed);
    this->lock->unlock(this->lock);
    this->thread->join(this->thread);
  }
  this->queue->destroy_offset(this->queue, offsetof(packet_t, destroy));
  store_destroy(this->store);
  this->locals->destroy_offset(this->locals, offsetof(host_t, destroy));
  this->pending->destroy(this->pending);
  this->changed->destroy(this->changed);
  this->lock->destroy(this->lock);
  free(this->path);
  free(this);
}

feed_t* feed_get(void) {
  return lib->get(lib, "sluice-feed");
}
