/*
 * Tells the edge what charon's bus knows: why a handshake failed, which IKE SA took over from which.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "alert.h"

#include <encoding/payloads/notify_payload.h>

#include "feed.h"

typedef struct private_alert_t private_alert_t;

struct private_alert_t {
  listener_t public;
  feed_t* feed;
};

/* Hooks run under the bus's lock and must not wait: feed_post() does not. */
static void post(private_alert_t* this, ike_sa_t* ike_sa, enum sf_cause cause, uint16_t notify) {
  struct sf_alert alert;
  struct iovec body = {.iov_base = &alert, .iov_len = sizeof(alert)};
  identification_t* id;

  if (!ike_sa) {
    return;
  }
  memset(&alert, 0, sizeof(alert));
  alert.local = feed_address(ike_sa->get_my_host(ike_sa));
  alert.remote = feed_address(ike_sa->get_other_host(ike_sa));
  alert.ike_uid = ike_sa->get_unique_id(ike_sa);
  alert.cause = (uint16_t)cause;
  alert.notify = notify;
  alert.ike_version = (uint8_t)ike_sa->get_version(ike_sa);
  alert.established = ike_sa->get_state(ike_sa) == IKE_ESTABLISHED;
  id = ike_sa->get_other_id(ike_sa);
  if (id && id->get_type(id) != ID_ANY) {
    snprintf(alert.peer_id, sizeof(alert.peer_id), "%Y", id);
  }
  feed_post(this->feed, SF_ALERT, &body, 1);
}

/**
 * Tells a peer whose Main Mode message does not decrypt that we gave up. RFC 2409 section 5.7 wants
 * notifications in the clear until the ISAKMP SA is established; charon sends one protected by keys that the
 * peer does not have, and to the port that it has left already.
 */
static void refuse_in_clear(private_alert_t* this, ike_sa_t* ike_sa, message_t* message) {
  struct __attribute__((packed)) {
    uint64_t initiator_spi, responder_spi;
    uint8_t next_payload, version, exchange, flags;
    uint32_t message_id, length;
    uint8_t notify_next, reserved;
    uint16_t notify_length;
    uint32_t doi;
    uint8_t protocol, spi_size;
    uint16_t type;
    uint64_t spi[2];
  } packet;
  struct sf_ike ike;
  struct iovec body[] = {{.iov_base = &ike, .iov_len = sizeof(ike)},
                         {.iov_base = &packet, .iov_len = sizeof(packet)}};
  host_t* me = message->get_destination(message);
  ike_sa_id_t* id = ike_sa->get_id(ike_sa);

  memset(&packet, 0, sizeof(packet));
  packet.initiator_spi = packet.spi[0] = id->get_initiator_spi(id);
  packet.responder_spi = packet.spi[1] = id->get_responder_spi(id);
  packet.next_payload = 11; /* notification */
  packet.version = 0x10;
  packet.exchange = INFORMATIONAL_V1;
  packet.message_id = htonl((uint32_t)random() | 1);
  packet.length = htonl(sizeof(packet));
  packet.notify_length = htons(sizeof(packet) - offsetof(typeof(packet), notify_next));
  packet.doi = htonl(1); /* IPsec */
  packet.protocol = 1;   /* ISAKMP */
  packet.spi_size = 16;
  packet.type = htons(AUTHENTICATION_FAILED);
  memset(&ike, 0, sizeof(ike));
  ike.src = feed_address(me);
  ike.dst = feed_address(message->get_source(message));
  ike.natt = me->get_port(me) == charon->socket->get_port(charon->socket, TRUE);
  feed_post(this->feed, SF_IKE_OUT, body, countof(body));
}

static void on_parse_error(private_alert_t* this, ike_sa_t* ike_sa, message_t* message) {
  if (ike_sa && ike_sa->get_version(ike_sa) == IKEV1 && ike_sa->get_state(ike_sa) == IKE_CONNECTING &&
      message->get_exchange_type(message) == ID_PROT &&
      !ike_sa->has_condition(ike_sa, COND_ORIGINAL_INITIATOR)) {
    refuse_in_clear(this, ike_sa, message);
  }
}

METHOD(listener_t, on_alert, bool, private_alert_t* this, ike_sa_t* ike_sa, alert_t alert, va_list args) {
  switch (alert) {
    case ALERT_PEER_AUTH_FAILED:
      post(this, ike_sa, SF_CAUSE_PEER_AUTH, 0);
      break;
    case ALERT_LOCAL_AUTH_FAILED:
      post(this, ike_sa, SF_CAUSE_LOCAL_AUTH, 0);
      break;
    case ALERT_PARSE_ERROR_BODY:
      post(this, ike_sa, SF_CAUSE_UNREADABLE, 0);
      on_parse_error(this, ike_sa, va_arg(args, message_t*));
      break;
    case ALERT_PROPOSAL_MISMATCH_IKE:
      post(this, ike_sa, SF_CAUSE_PROPOSAL_IKE, 0);
      break;
    case ALERT_PROPOSAL_MISMATCH_CHILD:
      post(this, ike_sa, SF_CAUSE_PROPOSAL_CHILD, 0);
      break;
    case ALERT_TS_MISMATCH:
      post(this, ike_sa, SF_CAUSE_SELECTORS, 0);
      break;
    case ALERT_HALF_OPEN_TIMEOUT:
      post(this, ike_sa, SF_CAUSE_HALF_OPEN, 0);
      break;
    case ALERT_RETRANSMIT_SEND_TIMEOUT:
      post(this, ike_sa, SF_CAUSE_PEER_GONE, 0);
      break;
    case ALERT_INSTALL_CHILD_SA_FAILED:
      post(this, ike_sa, SF_CAUSE_INSTALL, 0);
      break;
    default:
      break;
  }
  return TRUE;
}

/** The cause behind an error notification that we send; 0 if it is part of normal life. */
static int notify_cause(uint16_t notify, bool established) {
  switch (notify) {
    case INVALID_IKE_SPI:
    case INVALID_SPI:
    case INVALID_MESSAGE_ID:
    case NO_ADDITIONAL_SAS:
    case TEMPORARY_FAILURE:
    case CHILD_SA_NOT_FOUND:
      return 0;
    case AUTHENTICATION_FAILED:
      return SF_CAUSE_PEER_AUTH;
    case NO_PROPOSAL_CHOSEN:
      return established ? SF_CAUSE_PROPOSAL_CHILD : SF_CAUSE_PROPOSAL_IKE;
    case TS_UNACCEPTABLE:
    case INVALID_ID_INFORMATION:
      return SF_CAUSE_SELECTORS;
    case PAYLOAD_MALFORMED:
    case INVALID_HASH_INFORMATION:
      return SF_CAUSE_UNREADABLE;
    default:
      return SF_CAUSE_PROTOCOL;
  }
}

/* IKEv1 raises no alert for proposals or selectors that do not fit, nor for what a peer refuses: read the
 * notifications. */
METHOD(listener_t, on_message, bool, private_alert_t* this, ike_sa_t* ike_sa, message_t* message,
       bool incoming, bool plain) {
  enumerator_t* enumerator;
  payload_t* payload;

  if (!plain || !ike_sa) {
    return TRUE;
  }
  enumerator = message->create_payload_enumerator(message);
  while (enumerator->enumerate(enumerator, &payload)) {
    uint16_t notify;
    bool established = ike_sa->get_state(ike_sa) == IKE_ESTABLISHED;
    int cause;

    if (payload->get_type(payload) != PLV1_NOTIFY && payload->get_type(payload) != PLV2_NOTIFY) {
      continue;
    }
    notify = ((notify_payload_t*)payload)->get_notify_type((notify_payload_t*)payload);
    if (!notify || notify >= INITIAL_CONTACT) { /* a status, not an error */
      continue;
    }
    if (notify == INVALID_KE_PAYLOAD && ike_sa->get_version(ike_sa) == IKEV2) {
      continue; /* asks for another group: the peer tries again */
    }
    cause = notify_cause(notify, established);
    if (cause) {
      post(this, ike_sa, incoming ? SF_CAUSE_PEER_ERROR : (enum sf_cause)cause, notify);
    }
  }
  enumerator->destroy(enumerator);
  return TRUE;
}

static void rename_sas(private_alert_t* this, uint32_t old_uid, uint32_t new_uid) {
  store_rename(feed_store(this->feed), old_uid, new_uid);
}

METHOD(listener_t, on_ike_rekey, bool, private_alert_t* this, ike_sa_t* old, ike_sa_t* new) {
  rename_sas(this, old->get_unique_id(old), new->get_unique_id(new));
  return TRUE;
}

METHOD(listener_t, on_children_migrate, bool, private_alert_t* this, ike_sa_t* ike_sa, ike_sa_id_t* new,
       uint32_t unique) {
  struct sf_adopted adopted = {.new_uid = unique};
  struct iovec body = {.iov_base = &adopted, .iov_len = sizeof(adopted)};

  if (new&& ike_sa) { /* the other of the two calls is for the new IKE_SA */
    adopted.old_uid = ike_sa->get_unique_id(ike_sa);
    feed_post(this->feed, SF_ADOPTED, &body, 1);
    rename_sas(this, adopted.old_uid, unique);
  }
  return TRUE;
}

listener_t* sluice_alert_create(void) {
  private_alert_t* this;

  INIT(this,
       .public = {.alert = _on_alert,
                  .message = _on_message,
                  .ike_rekey = _on_ike_rekey,
                  .children_migrate = _on_children_migrate},
       .feed = feed_get(), );
  return &this->public;
}
