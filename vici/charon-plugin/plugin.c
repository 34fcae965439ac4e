/*
 * The plugin: what it offers to charon and in which order it lives.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <daemon.h>
#include <plugins/plugin.h>

#include "alert.h"
#include "feed.h"
#include "ipsec.h"
#include "net.h"
#include "socket.h"

typedef struct private_plugin_t private_plugin_t;

struct private_plugin_t {
  plugin_t public;
  feed_t* feed;
  listener_t* alerts;
};

METHOD(plugin_t, get_name, char*, private_plugin_t* this) {
  return "sluice";
}

static bool register_alerts(private_plugin_t* this, plugin_feature_t* feature, bool reg, void* data) {
  if (reg) {
    this->alerts = sluice_alert_create();
    charon->bus->add_listener(charon->bus, this->alerts);
  } else {
    charon->bus->remove_listener(charon->bus, this->alerts);
    free(this->alerts);
    this->alerts = NULL;
  }
  return TRUE;
}

METHOD(plugin_t, get_features, int, private_plugin_t* this, plugin_feature_t* features[]) {
  static plugin_feature_t f[] = {
      PLUGIN_CALLBACK(kernel_ipsec_register, sluice_ipsec_create),
      PLUGIN_PROVIDE(CUSTOM, "kernel-ipsec"),
      PLUGIN_CALLBACK(kernel_net_register, sluice_net_create),
      PLUGIN_PROVIDE(CUSTOM, "kernel-net"),
      PLUGIN_CALLBACK(socket_register, sluice_socket_create),
      PLUGIN_PROVIDE(CUSTOM, "socket"),
      PLUGIN_CALLBACK((plugin_feature_callback_t)register_alerts, NULL),
      PLUGIN_PROVIDE(CUSTOM, "sluice-alerts"),
  };
  *features = f;
  return countof(f);
}

METHOD(plugin_t, destroy, void, private_plugin_t* this) {
  lib->set(lib, "sluice-feed", NULL);
  if (this->feed) {
    feed_destroy(this->feed);
  }
  free(this);
}

/** charon looks for this name. */
plugin_t* sluice_plugin_create(void) {
  private_plugin_t* this;
  char* path = lib->settings->get_str(lib->settings, "%s.plugins.sluice.socket", NULL, lib->ns);

  if (!path) {
    DBG1(DBG_LIB, "sluice: no setting %s.plugins.sluice.socket, the path of the edge's sa-feed socket",
         lib->ns);
    return NULL;
  }
  if (strlen(path) > 107) {
    DBG1(DBG_LIB, "sluice: socket path '%s' is longer than the 107 bytes a unix socket allows", path);
    return NULL;
  }
  INIT(this, .public = {.get_name = _get_name, .get_features = _get_features, .destroy = _destroy},
       .feed = feed_create(
           path, (u_int)lib->settings->get_int(lib->settings, "%s.plugins.sluice.linger", 0, lib->ns)), );
  if (!this->feed) {
    destroy(this);
    return NULL;
  }
  lib->set(lib, "sluice-feed", this->feed);
  return &this->public;
}
