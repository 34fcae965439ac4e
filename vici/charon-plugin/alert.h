/*
 * Tells the edge what charon's bus knows: why a handshake failed, which IKE SA took over from which.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_ALERT_H_
#define SLUICE_ALERT_H_

#include <bus/listeners/listener.h>

/** A listener for charon's bus. The caller frees it after it was removed from the bus. */
listener_t* sluice_alert_create(void);

#endif
