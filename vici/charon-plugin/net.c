/*
 * kernel_net_t without a kernel: what charon asks about addresses and routes, answered from what peers
 * dialled.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net.h"

#include "feed.h"

typedef struct private_net_t private_net_t;
typedef struct address_enumerator_t address_enumerator_t;

struct private_net_t {
  kernel_net_t public;
  feed_t* feed;
};

struct address_enumerator_t {
  enumerator_t public;
  linked_list_t* list;
  enumerator_t* inner;
};

METHOD(kernel_net_t, get_features, kernel_feature_t, private_net_t* this) {
  return 0;
}

METHOD(kernel_net_t, get_source_addr, host_t*, private_net_t* this, host_t* dest, host_t* src) {
  linked_list_t* locals;
  enumerator_t* enumerator;
  host_t *local, *found = NULL;

  if (src && !src->is_anyaddr(src)) {
    return src->clone(src);
  }
  locals = feed_local_addresses(this->feed);
  enumerator = locals->create_enumerator(locals);
  while (!found && enumerator->enumerate(enumerator, &local)) {
    if (local->get_family(local) == dest->get_family(dest)) {
      found = local->clone(local);
    }
  }
  enumerator->destroy(enumerator);
  locals->destroy_offset(locals, offsetof(host_t, destroy));
  return found;
}

METHOD(kernel_net_t, get_nexthop, host_t*, private_net_t* this, host_t* dest, int prefix, host_t* src,
       char** iface) {
  if (iface) {
    *iface = NULL;
  }
  return dest->clone(dest);
}

/* Every address that a datagram came to is ours: the edge received it. */
METHOD(kernel_net_t, get_interface, bool, private_net_t* this, host_t* host, char** name) {
  if (name) {
    *name = strdup("sluice");
  }
  return TRUE;
}

METHOD(enumerator_t, enumerate_address, bool, address_enumerator_t* this, va_list args) {
  host_t** host;

  VA_ARGS_VGET(args, host);
  return this->inner->enumerate(this->inner, host);
}

METHOD(enumerator_t, destroy_addresses, void, address_enumerator_t* this) {
  this->inner->destroy(this->inner);
  this->list->destroy_offset(this->list, offsetof(host_t, destroy));
  free(this);
}

METHOD(kernel_net_t, create_address_enumerator, enumerator_t*, private_net_t* this,
       kernel_address_type_t which) {
  address_enumerator_t* enumerator;
  linked_list_t* list;

  if (!(which & ADDR_TYPE_REGULAR)) {
    return enumerator_create_empty();
  }
  list = feed_local_addresses(this->feed);
  INIT(enumerator,
       .public =
           {
               .enumerate = enumerator_enumerate_default,
               .venumerate = _enumerate_address,
               .destroy = _destroy_addresses,
           },
       .list = list, .inner = list->create_enumerator(list), );
  return &enumerator->public;
}

METHOD(kernel_net_t, create_local_subnet_enumerator, enumerator_t*, private_net_t* this) {
  return enumerator_create_empty();
}

METHOD(kernel_net_t, add_ip, status_t, private_net_t* this, host_t* virtual_ip, int prefix, char* iface) {
  return NOT_SUPPORTED;
}

METHOD(kernel_net_t, del_ip, status_t, private_net_t* this, host_t* virtual_ip, int prefix, bool wait) {
  return NOT_SUPPORTED;
}

METHOD(kernel_net_t, add_route, status_t, private_net_t* this, chunk_t dst_net, uint8_t prefixlen,
       host_t* gateway, host_t* src_ip, char* if_name, bool pass) {
  return SUCCESS;
}

METHOD(kernel_net_t, del_route, status_t, private_net_t* this, chunk_t dst_net, uint8_t prefixlen,
       host_t* gateway, host_t* src_ip, char* if_name, bool pass) {
  return SUCCESS;
}

METHOD(kernel_net_t, destroy, void, private_net_t* this) {
  free(this);
}

kernel_net_t* sluice_net_create(void) {
  private_net_t* this;

  INIT(this,
       .public =
           {
               .get_features = _get_features,
               .get_source_addr = _get_source_addr,
               .get_nexthop = _get_nexthop,
               .get_interface = _get_interface,
               .create_address_enumerator = _create_address_enumerator,
               .create_local_subnet_enumerator = _create_local_subnet_enumerator,
               .add_ip = _add_ip,
               .del_ip = _del_ip,
               .add_route = _add_route,
               .del_route = _del_route,
               .destroy = _destroy,
           },
       .feed = feed_get(), );
  return &this->public;
}
