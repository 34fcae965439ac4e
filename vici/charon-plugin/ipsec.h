/*
 * kernel_ipsec_t: hands SAs to the edge.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_IPSEC_H_
#define SLUICE_IPSEC_H_

#include <kernel/kernel_ipsec.h>

kernel_ipsec_t* sluice_ipsec_create(void);

#endif
