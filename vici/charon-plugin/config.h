/*
 * Build settings of the strongSwan that the plugin is loaded into, as its headers want them.
 *
 * Part of the sluice plugin for strongSwan's charon.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define CONFIG_H_INCLUDED

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* These change the layout of structures and interfaces and must match the distribution's build. Debian
 * configures with --enable-mediation (ME) and --with-capabilities=libcap. */
#define ME
#define CAPABILITIES
#define CAPABILITIES_LIBCAP

/* What its configure script finds on glibc. */
#define HAVE_ALLOCA_H 1
#define HAVE_CLOCK_GETTIME 1
#define HAVE_CONDATTR_CLOCK_MONOTONIC 1
#define HAVE_EXPLICIT_BZERO 1
#define HAVE_FMEMOPEN 1
#define HAVE_GCC_ATOMIC_OPERATIONS 1
#define HAVE_IN6ADDR_ANY 1
#define HAVE_MEMRCHR 1
#define HAVE_QSORT_R 1
#define HAVE_QSORT_R_GNU 1
#define HAVE_SIGWAITINFO 1
#define HAVE_STDBOOL_H 1
#define HAVE_STRNDUP 1
#define HAVE_SYS_PARAM_H 1
#if __SIZEOF_INT128__
#define HAVE_INT128 1
#endif
