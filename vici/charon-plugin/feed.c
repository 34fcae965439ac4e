/*
 * The connection to the edge.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "feed_impl.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/** How long a charon thread waits for the edge, in ms. */
#define REQUEST_TIMEOUT 2000
/** Between attempts to connect, in ms; the least is FEED_BACKOFF_MIN. */
#define BACKOFF_MAX 200
#define LOCAL_MAX 64
#define PIECES_MAX 4

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

void feed_remember_local(feed_t* this, host_t* local) {
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
    if (!feed_dispatch(this, chunk_create(buffer, (size_t)len))) {
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
       .changed = condvar_create(CONDVAR_TYPE_DEFAULT), .fd = -1, .backoff = FEED_BACKOFF_MIN,
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
