/*
 * sa-feed: the frames between charon's sluice plugin and sluice-edge. Described in docs/sa-feed.md.
 *
 * Transport: one SOCK_SEQPACKET unix socket, the plugin connects; one frame is one packet. Both ends run on the same
 * machine, so numbers are in host byte order, except addresses, which are in network order. Every frame starts with
 * sf_header. Structures have no holes: padding is explicit and zero. This header is the only file that the plugin
 * (GPL-2.0-or-later) and the edge (Apache-2.0) share.
 *
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later
 */
#ifndef SLUICE_SA_FEED_H
#define SLUICE_SA_FEED_H

#include <stdint.h>

#define SF_VERSION 2u
#define SF_MAX_FRAME 66560u /* a 64 KiB datagram and its header */
#define SF_MAX_KEY 64u
#define SF_MAX_ID 256u
#define SF_MAX_NOTE 64u
#define SF_MAX_SEEN 4096u /* entries in one SF_SEEN */
/* Sequence numbers that an outbound SA is given at a time: a second's worth at a million packets a second. */
#define SF_RESERVE_CHUNK (1u << 20)

/* who sends it: P plugin, E edge */
enum sf_type {
  SF_HELLO = 1,      /* P, first frame; body sf_hello */
  SF_WELCOME = 2,    /* E, answers it; body sf_hello */
  SF_GET_SPI = 3,    /* P, request; body sf_get_spi; reply carries the SPI */
  SF_ADD_SA = 4,     /* P, request; body sf_sa */
  SF_UPDATE_SA = 5,  /* P, request; body sf_update_sa */
  SF_QUERY_SA = 6,   /* P, request; body sf_sa_ref; reply carries usage */
  SF_DEL_SA = 7,     /* P, request; body sf_sa_ref */
  SF_FLUSH = 8,      /* P, request; no body: forget every SA */
  SF_REPLY = 9,      /* E, answers a request with the same id; body sf_reply */
  SF_IKE_IN = 10,    /* E, body sf_ike then the IKE datagram without non-ESP marker */
  SF_IKE_OUT = 11,   /* P, likewise; sf_ike.natt says whether the edge adds the marker */
  SF_EXPIRE = 12,    /* E, body sf_expire */
  SF_MAPPING = 13,   /* E, body sf_mapping: a peer moved to a new address or port */
  SF_ALERT = 14,     /* P, body sf_alert: a handshake failed or an IKE SA broke */
  SF_ADOPTED = 15,   /* P, body sf_adopted: an IKE SA took over another's children (IKEv1 re-authentication) */
  SF_RESERVE = 16,   /* E, body sf_reserve: an outbound SA needs sequence numbers up to `last` */
  SF_RESERVED = 17,  /* P, body sf_reserve: they will never be used by another edge */
  SF_SEEN = 18,      /* E, body: sf_seen, as many as fit: how far inbound SAs have got */
  SF_RESTORED = 19,  /* P, body sf_restored: every SA that was there before this edge has been added */
};

#define SF_PROTOCOL_ESP 50u

enum sf_status { SF_OK = 0, SF_FAILED = 1, SF_NOT_FOUND = 2, SF_NOT_SUPPORTED = 3 };

struct sf_header {
  uint16_t version; /* SF_VERSION */
  uint16_t type;    /* enum sf_type */
  uint32_t id;      /* of a request, repeated in its reply; 0 elsewhere */
};

struct sf_address {
  uint8_t family; /* 4, 6; 0 for any */
  uint8_t pad;
  uint16_t port; /* host order */
  uint8_t bytes[16];
};

struct sf_hello {
  uint64_t boot; /* random, new at each start of the sender */
  uint32_t pid;
  uint32_t pad;
};

struct sf_get_spi {
  struct sf_address src, dst; /* of the packets that will carry it: dst is ours */
  uint32_t ike_uid;           /* charon's unique id of the IKE SA; 0 if none is at hand */
  uint8_t protocol;           /* 50 */
  uint8_t pad[3];
  char peer_id[SF_MAX_ID];    /* the peer's IKE identity as text, NUL-terminated, cut if longer */
};

struct sf_lifetime { /* 0: no limit */
  uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets, soft_seconds, hard_seconds;
};

struct sf_sa {
  struct sf_lifetime lifetime;
  struct sf_address src, dst; /* outer addresses; ports where encap is set */
  uint32_t spi;               /* as a number: the first wire byte is the highest */
  uint32_t ike_uid;
  uint32_t reqid;
  uint32_t replay_window; /* packets */
  uint16_t encr_alg;      /* IKEv2 transform id (IANA): 12 AES-CBC, 20 AES-GCM-16, 28 ChaCha20-Poly1305, 3 3DES ... */
  uint16_t integ_alg;     /* IKEv2 transform id: 2 HMAC-SHA1-96, 12 SHA2-256-128 ...; 0 with an AEAD */
  uint16_t encr_key_size; /* bytes, with the salt of a counter mode; follows this structure */
  uint16_t integ_key_size;/* bytes; follows the encryption key */
  uint8_t protocol;       /* 50 */
  uint8_t mode;           /* 1 transport, 2 tunnel, 3 BEET */
  uint8_t inbound;
  uint8_t encap; /* ESP in UDP */
  uint8_t esn;
  uint8_t ike_version;  /* 1, 2 */
  uint8_t rekeyed;      /* it replaces an older SA of the same child */
  uint8_t restored;     /* it was installed before, by an edge that is gone */
  uint16_t ts_local_port, ts_remote_port; /* 0 any; of the first traffic selectors */
  uint8_t ts_protocol;                    /* 17 for L2TP, 0 any */
  uint8_t pad2[3];
  uint64_t last_sequence; /* numbers up to this one may have been used (outbound) or were seen (inbound) */
  uint64_t reserved;      /* outbound: numbers up to this one may be used now */
  char note[SF_MAX_NOTE]; /* what the edge gave in its reply to the first ADD_SA, NUL-terminated */
  char peer_id[SF_MAX_ID];
};

struct sf_sa_ref {
  struct sf_address src, dst;
  uint32_t spi;
  uint8_t protocol;
  uint8_t inbound; /* as far as known: 1 if dst is ours */
  uint8_t pad[2];
};

struct sf_update_sa {
  struct sf_sa_ref sa;
  struct sf_address new_src, new_dst;
  uint8_t encap, new_encap;
  uint8_t pad[6];
};

struct sf_reply {
  uint64_t bytes, packets;
  uint64_t last_use; /* seconds since the epoch; 0 never */
  uint32_t status;   /* enum sf_status */
  uint32_t spi;
  char note[SF_MAX_NOTE]; /* to ADD_SA: what the edge wants to be told with the SA when it starts anew */
};

struct sf_ike {
  struct sf_address src, dst;
  uint8_t natt; /* the datagram came from, or goes to, a port where the non-ESP marker is used */
  uint8_t pad[3];
};

struct sf_expire {
  struct sf_address dst;
  uint32_t spi;
  uint8_t protocol;
  uint8_t hard;
  uint8_t pad[2];
};

enum sf_cause {
  SF_CAUSE_PEER_AUTH = 1,      /* the peer's proof is wrong: PSK, certificate or identity */
  SF_CAUSE_LOCAL_AUTH = 2,     /* ours could not be made, or the peer refused it */
  SF_CAUSE_UNREADABLE = 3,     /* a message did not decrypt or parse; in Main Mode this is how a wrong PSK shows */
  SF_CAUSE_PROPOSAL_IKE = 4,   /* no common algorithms in phase 1 */
  SF_CAUSE_PROPOSAL_CHILD = 5, /* nor in phase 2 */
  SF_CAUSE_SELECTORS = 6,      /* traffic selectors do not fit */
  SF_CAUSE_HALF_OPEN = 7,      /* the handshake was not finished in time */
  SF_CAUSE_PEER_GONE = 8,      /* the peer no longer answers */
  SF_CAUSE_INSTALL = 9,        /* the edge refused the SAs */
  SF_CAUSE_PEER_ERROR = 10,    /* the peer sent an error notification; its number is in `notify` */
  SF_CAUSE_PROTOCOL = 11,      /* we sent one, for another reason than those above */
};

struct sf_alert {
  struct sf_address local, remote;
  uint32_t ike_uid;
  uint16_t cause;      /* enum sf_cause */
  uint16_t notify;     /* IKE notification type, 0 if none */
  uint8_t ike_version; /* 1, 2; 0 not known */
  uint8_t established; /* the IKE SA was up */
  uint8_t pad[2];
  char peer_id[SF_MAX_ID]; /* empty if not yet known */
};

struct sf_adopted {
  uint32_t old_uid, new_uid; /* charon's unique ids of the IKE SAs */
};

struct sf_mapping {
  uint32_t spi;     /* of the inbound SA over which the peer was seen */
  uint32_t pad;
  struct sf_address dst;                  /* ours */
  struct sf_address old_remote, new_remote;
};

struct sf_reserve {
  struct sf_address dst;
  uint32_t spi;
  uint64_t last;   /* sequence number */
  uint8_t known;   /* in RESERVED: 0 if there is no such SA, so that nobody else will use it either */
  uint8_t pad[7];
};

struct sf_seen {
  uint32_t spi; /* of an inbound SA */
  uint32_t pad;
  uint64_t sequence;
};

struct sf_restored {
  uint32_t count;  /* of SAs that the edge took */
  uint32_t failed; /* of those that it did not: charon ends their peers */
};

#endif
