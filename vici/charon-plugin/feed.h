/*
 * The connection to the edge: one socket, requests with replies, datagrams both ways.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_FEED_H_
#define SLUICE_FEED_H_

#include <sys/uio.h>

#include <daemon.h>
#include <library.h>
#include <networking/packet.h>

#include "vici/sa_feed.h"

#include "store.h"

typedef struct feed_t feed_t;

/**
 * Starts a thread that connects to the edge and connects again whenever the edge goes away. After `linger`
 * seconds without one charon ends: nobody is left to carry its peers' traffic. 0: it stays.
 */
feed_t* feed_create(const char* path, u_int linger);
void feed_destroy(feed_t* this);

/**
 * Sends a request and waits for its reply, for a bounded time. Any thread.
 *
 * @param body      body of the frame in pieces, so that keys are copied nowhere
 * @param reply     the edge's answer, all zero if there is none
 * @return          SUCCESS; FAILED without an edge, in time, or refused; NOT_FOUND, NOT_SUPPORTED as the edge
 * says
 */
status_t feed_request(feed_t* this, enum sf_type type, const struct iovec* body, int pieces,
                      struct sf_reply* reply);

/**
 * The SAs that the edge was given.
 */
store_t* feed_store(feed_t* this);

/**
 * Waits, for a bounded time, while an edge that started anew is given our SAs, so that changes come after.
 *
 * @return          boot of the edge that is there now, 0 for none
 */
uint64_t feed_settled(feed_t* this);

/**
 * Sends a frame that has no reply. Never blocks; a frame that the edge has no room for is lost. Any thread.
 */
bool feed_post(feed_t* this, enum sf_type type, const struct iovec* body, int pieces);

/**
 * The next IKE datagram, as charon's receiver wants it. Blocks; a cancellation point.
 */
packet_t* feed_dequeue(feed_t* this);

/**
 * Local addresses that peers have been seen to dial. The caller destroys the list with its hosts.
 */
linked_list_t* feed_local_addresses(feed_t* this);

/**
 * The one feed of this process, registered by the plugin.
 */
feed_t* feed_get(void);

struct sf_address feed_address(host_t* host);
/** NULL if it is none. */
host_t* feed_host(const struct sf_address* address);

/**
 * charon puts a non-ESP marker before IKE, and expects one, wherever neither port is 500 (RFC 3948). The
 * frames carry none.
 */
bool feed_marker_expected(host_t* a, host_t* b);

#endif
