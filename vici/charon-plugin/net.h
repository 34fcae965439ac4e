/*
 * kernel_net_t without a kernel: what charon asks about addresses and routes, answered from what peers
 * dialled.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_NET_H_
#define SLUICE_NET_H_

#include <kernel/kernel_net.h>

kernel_net_t* sluice_net_create(void);

#endif
