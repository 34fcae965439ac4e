/*
 * socket_t: IKE datagrams come from and go to the edge; charon opens no port.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SLUICE_SOCKET_H_
#define SLUICE_SOCKET_H_

#include <network/socket.h>

socket_t* sluice_socket_create(void);

#endif
