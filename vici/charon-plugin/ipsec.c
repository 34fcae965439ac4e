/*
 * kernel_ipsec_t: hands SAs to the edge.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ipsec.h"

#include <time.h>

#include "feed.h"

typedef struct private_ipsec_t private_ipsec_t;

struct private_ipsec_t {
  kernel_ipsec_t public;
  feed_t* feed;
};

/** What charon knows of the peer on this thread: it has its IKE_SA checked out while it works on it. */
static void fill_peer(uint32_t* ike_uid, uint8_t* ike_version, char* peer_id) {
  ike_sa_t* ike_sa = charon->bus->get_sa(charon->bus);

  if (!ike_sa) {
    return;
  }
  *ike_uid = ike_sa->get_unique_id(ike_sa);
  if (ike_version) {
    *ike_version = (uint8_t)ike_sa->get_version(ike_sa);
  }
  snprintf(peer_id, SF_MAX_ID, "%Y", ike_sa->get_other_id(ike_sa));
}

METHOD(kernel_ipsec_t, get_features, kernel_feature_t, private_ipsec_t* this) {
  return KERNEL_ESP_V3_TFC | KERNEL_NO_POLICY_UPDATES;
}

METHOD(kernel_ipsec_t, get_spi, status_t, private_ipsec_t* this, host_t* src, host_t* dst, uint8_t protocol,
       uint32_t* spi) {
  struct sf_get_spi request;
  struct iovec body = {.iov_base = &request, .iov_len = sizeof(request)};
  struct sf_reply reply;
  status_t status;

  if (protocol != IPPROTO_ESP) {
    return NOT_SUPPORTED;
  }
  memset(&request, 0, sizeof(request));
  request.src = feed_address(src);
  request.dst = feed_address(dst);
  request.protocol = protocol;
  feed_settled(this->feed); /* an edge that started anew knows the peer once it has its SAs */
  fill_peer(&request.ike_uid, NULL, request.peer_id);
  status = feed_request(this->feed, SF_GET_SPI, &body, 1, &reply);
  if (status == SUCCESS && !reply.spi) {
    status = FAILED;
  }
  *spi = htonl(reply.spi);
  return status;
}

METHOD(kernel_ipsec_t, get_cpi, status_t, private_ipsec_t* this, host_t* src, host_t* dst, uint16_t* cpi) {
  return NOT_SUPPORTED;
}

/** The one port of the first selector of a list, 0 if it has many. */
static uint16_t selector_port(linked_list_t* list, uint8_t* protocol) {
  traffic_selector_t* ts;

  if (!list || list->get_first(list, (void**)&ts) != SUCCESS) {
    return 0;
  }
  *protocol = ts->get_protocol(ts);
  return ts->get_from_port(ts) == ts->get_to_port(ts) ? ts->get_from_port(ts) : 0;
}

/** Whether the peer has another child of the same reqid that this one takes over from. */
static bool replaces_other(uint32_t reqid, uint32_t spi) {
  ike_sa_t* ike_sa = charon->bus->get_sa(charon->bus);
  enumerator_t* enumerator;
  child_sa_t* child;
  bool found = FALSE;

  if (!ike_sa || !reqid) {
    return FALSE;
  }
  enumerator = ike_sa->create_child_sa_enumerator(ike_sa);
  while (!found && enumerator->enumerate(enumerator, &child)) {
    found = child->get_reqid(child) == reqid && child->get_spi(child, TRUE) != spi &&
            child->get_spi(child, FALSE) != spi;
  }
  enumerator->destroy(enumerator);
  return found;
}

static struct sf_lifetime to_lifetime(const lifetime_cfg_t* cfg) {
  struct sf_lifetime out = {0};

  if (cfg) {
    out.soft_bytes = cfg->bytes.rekey;
    out.hard_bytes = cfg->bytes.life;
    out.soft_packets = cfg->packets.rekey;
    out.hard_packets = cfg->packets.life;
    out.soft_seconds = cfg->time.rekey;
    out.hard_seconds = cfg->time.life;
  }
  return out;
}

METHOD(kernel_ipsec_t, add_sa, status_t, private_ipsec_t* this, kernel_ipsec_sa_id_t* id,
       kernel_ipsec_add_sa_t* data) {
  stored_t stored;
  struct sf_reply reply;
  status_t status;
  struct sf_sa sa;
  struct iovec body[] = {
      {.iov_base = &sa, .iov_len = sizeof(sa)},
      {.iov_base = data->enc_key.ptr, .iov_len = data->enc_key.len},
      {.iov_base = data->int_key.ptr, .iov_len = data->int_key.len},
  };

  if (id->proto != IPPROTO_ESP || data->ipcomp != IPCOMP_NONE || data->enc_key.len > SF_MAX_KEY ||
      data->int_key.len > SF_MAX_KEY) {
    return NOT_SUPPORTED;
  }
  memset(&sa, 0, sizeof(sa));
  sa.lifetime = to_lifetime(data->lifetime);
  sa.src = feed_address(id->src);
  sa.dst = feed_address(id->dst);
  if (!data->encap) {
    sa.src.port = sa.dst.port = 0;
  }
  sa.spi = ntohl(id->spi);
  sa.reqid = data->reqid;
  sa.replay_window = data->replay_window;
  sa.encr_alg = data->enc_alg;
  sa.integ_alg = data->int_alg == AUTH_UNDEFINED ? 0 : data->int_alg;
  sa.encr_key_size = (uint16_t)data->enc_key.len;
  sa.integ_key_size = (uint16_t)data->int_key.len;
  sa.protocol = id->proto;
  sa.mode = (uint8_t)data->mode;
  sa.inbound = data->inbound;
  sa.encap = data->encap;
  sa.esn = data->esn;
  sa.rekeyed = replaces_other(data->reqid, id->spi);
  sa.ts_local_port = selector_port(data->inbound ? data->dst_ts : data->src_ts, &sa.ts_protocol);
  sa.ts_remote_port = selector_port(data->inbound ? data->src_ts : data->dst_ts, &sa.ts_protocol);
  sa.reserved = data->inbound ? 0 : SF_RESERVE_CHUNK;
  fill_peer(&sa.ike_uid, &sa.ike_version, sa.peer_id);
  memset(&stored, 0, sizeof(stored));
  stored.sa = sa;
  memcpy(stored.keys, data->enc_key.ptr, data->enc_key.len);
  memcpy(stored.keys + data->enc_key.len, data->int_key.ptr, data->int_key.len);
  /* first here, so that the edge never has an SA whose sequence numbers nobody watches */
  store_add(feed_store(this->feed), &stored, feed_settled(this->feed));
  memwipe(&stored, sizeof(stored));
  status = feed_request(this->feed, SF_ADD_SA, body, countof(body), &reply);
  if (status == SUCCESS) {
    reply.note[sizeof(reply.note) - 1] = '\0';
    store_note(feed_store(this->feed), sa.spi, &sa.dst, reply.note);
  } else {
    store_remove(feed_store(this->feed), sa.spi, &sa.dst);
  }
  return status;
}

static struct sf_sa_ref to_ref(kernel_ipsec_sa_id_t* id) {
  struct sf_sa_ref ref;
  ike_sa_t* ike_sa = charon->bus->get_sa(charon->bus);

  memset(&ref, 0, sizeof(ref));
  ref.src = feed_address(id->src);
  ref.dst = feed_address(id->dst);
  ref.spi = ntohl(id->spi);
  ref.protocol = id->proto;
  if (ike_sa) {
    ref.inbound = id->dst->ip_equals(id->dst, ike_sa->get_my_host(ike_sa));
  }
  return ref;
}

METHOD(kernel_ipsec_t, update_sa, status_t, private_ipsec_t* this, kernel_ipsec_sa_id_t* id,
       kernel_ipsec_update_sa_t* data) {
  struct sf_update_sa request;
  struct iovec body = {.iov_base = &request, .iov_len = sizeof(request)};
  struct sf_reply reply;

  memset(&request, 0, sizeof(request));
  request.sa = to_ref(id);
  request.new_src = feed_address(data->new_src);
  request.new_dst = feed_address(data->new_dst);
  request.encap = data->encap;
  request.new_encap = data->new_encap;
  feed_settled(this->feed);
  store_update(feed_store(this->feed), &request);
  return feed_request(this->feed, SF_UPDATE_SA, &body, 1, &reply);
}

METHOD(kernel_ipsec_t, query_sa, status_t, private_ipsec_t* this, kernel_ipsec_sa_id_t* id,
       kernel_ipsec_query_sa_t* data, uint64_t* bytes, uint64_t* packets, time_t* used) {
  struct sf_sa_ref ref = to_ref(id);
  struct iovec body = {.iov_base = &ref, .iov_len = sizeof(ref)};
  struct sf_reply reply;
  status_t status = feed_request(this->feed, SF_QUERY_SA, &body, 1, &reply);

  if (bytes) {
    *bytes = reply.bytes;
  }
  if (packets) {
    *packets = reply.packets;
  }
  if (used) {
    *used = 0;
    if (reply.last_use) { /* charon counts on the monotonic clock */
      time_t ago = time(NULL) - (time_t)reply.last_use;
      *used = time_monotonic(NULL) - max(ago, 0);
    }
  }
  return status;
}

METHOD(kernel_ipsec_t, del_sa, status_t, private_ipsec_t* this, kernel_ipsec_sa_id_t* id,
       kernel_ipsec_del_sa_t* data) {
  struct sf_sa_ref ref = to_ref(id);
  struct iovec body = {.iov_base = &ref, .iov_len = sizeof(ref)};
  struct sf_reply reply;

  feed_settled(this->feed);
  store_remove(feed_store(this->feed), ref.spi, &ref.dst);
  return feed_request(this->feed, SF_DEL_SA, &body, 1, &reply);
}

METHOD(kernel_ipsec_t, flush_sas, status_t, private_ipsec_t* this) {
  struct sf_reply reply;

  feed_settled(this->feed);
  store_flush(feed_store(this->feed));
  return feed_request(this->feed, SF_FLUSH, NULL, 0, &reply);
}

/* The edge takes no traffic but L2TP through an SA, so policies have nothing to say. */
METHOD(kernel_ipsec_t, add_policy, status_t, private_ipsec_t* this, kernel_ipsec_policy_id_t* id,
       kernel_ipsec_manage_policy_t* data) {
  return SUCCESS;
}

METHOD(kernel_ipsec_t, query_policy, status_t, private_ipsec_t* this, kernel_ipsec_policy_id_t* id,
       kernel_ipsec_query_policy_t* data, time_t* use_time) {
  *use_time = 0;
  return SUCCESS;
}

METHOD(kernel_ipsec_t, del_policy, status_t, private_ipsec_t* this, kernel_ipsec_policy_id_t* id,
       kernel_ipsec_manage_policy_t* data) {
  return SUCCESS;
}

METHOD(kernel_ipsec_t, flush_policies, status_t, private_ipsec_t* this) {
  return SUCCESS;
}

METHOD(kernel_ipsec_t, bypass_socket, bool, private_ipsec_t* this, int fd, int family) {
  return TRUE;
}

METHOD(kernel_ipsec_t, enable_udp_decap, bool, private_ipsec_t* this, int fd, int family, uint16_t port) {
  return TRUE;
}

METHOD(kernel_ipsec_t, destroy, void, private_ipsec_t* this) {
  free(this);
}

kernel_ipsec_t* sluice_ipsec_create(void) {
  private_ipsec_t* this;

  INIT(this,
       .public =
           {
               .get_features = _get_features,
               .get_spi = _get_spi,
               .get_cpi = _get_cpi,
               .add_sa = _add_sa,
               .update_sa = _update_sa,
               .query_sa = _query_sa,
               .del_sa = _del_sa,
               .flush_sas = _flush_sas,
               .add_policy = _add_policy,
               .query_policy = _query_policy,
               .del_policy = _del_policy,
               .flush_policies = _flush_policies,
               .bypass_socket = _bypass_socket,
               .enable_udp_decap = _enable_udp_decap,
               .destroy = _destroy,
           },
       .feed = feed_get(), );
  return &this->public;
}
