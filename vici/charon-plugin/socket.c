/*
 * socket_t: IKE datagrams come from and go to the edge; charon opens no port.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "socket.h"

#include "feed.h"

#define MARKER_LEN 4

typedef struct private_socket_t private_socket_t;

struct private_socket_t {
  socket_t public;
  feed_t* feed;
  uint16_t port, natt_port;
};

METHOD(socket_t, receive_packet, status_t, private_socket_t* this, packet_t** packet) {
  *packet = feed_dequeue(this->feed);
  return SUCCESS;
}

METHOD(socket_t, send_packet, status_t, private_socket_t* this, packet_t* packet) {
  host_t *src = packet->get_source(packet), *dst = packet->get_destination(packet);
  chunk_t data = packet->get_data(packet);
  struct sf_ike ike;
  struct iovec body[2];

  if (data.len == 1) { /* a NAT keepalive: a responder has no mapping of its own to keep open */
    return SUCCESS;
  }
  if (feed_marker_expected(src, dst)) {
    if (data.len < MARKER_LEN) {
      return FAILED;
    }
    data = chunk_skip(data, MARKER_LEN);
  }
  memset(&ike, 0, sizeof(ike));
  ike.src = feed_address(src);
  ike.dst = feed_address(dst);
  ike.natt = src->get_port(src) == this->natt_port;
  body[0].iov_base = &ike;
  body[0].iov_len = sizeof(ike);
  body[1].iov_base = data.ptr;
  body[1].iov_len = data.len;
  return feed_post(this->feed, SF_IKE_OUT, body, countof(body)) ? SUCCESS : FAILED;
}

METHOD(socket_t, get_port, uint16_t, private_socket_t* this, bool natt) {
  return natt ? this->natt_port : this->port;
}

METHOD(socket_t, supported_families, socket_family_t, private_socket_t* this) {
  return SOCKET_FAMILY_BOTH;
}

METHOD(socket_t, destroy, void, private_socket_t* this) {
  free(this);
}

socket_t* sluice_socket_create(void) {
  private_socket_t* this;

  INIT(this,
       .public =
           {
               .receive = _receive_packet,
               .send = _send_packet,
               .get_port = _get_port,
               .supported_families = _supported_families,
               .destroy = _destroy,
           },
       .feed = feed_get(),
       .port = (uint16_t)lib->settings->get_int(lib->settings, "%s.port", CHARON_UDP_PORT, lib->ns),
       .natt_port =
           (uint16_t)lib->settings->get_int(lib->settings, "%s.port_nat_t", CHARON_NATT_PORT, lib->ns), );
  return &this->public;
}
