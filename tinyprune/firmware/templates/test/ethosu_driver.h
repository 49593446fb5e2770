/*
 * The part of Arm's driver that the sources call, for tests on a machine without an NPU.
 * A firmware takes the ethosu_driver.h of Arm's ethos-u-core-driver instead.
 */

#ifndef ETHOSU_DRIVER_H
#define ETHOSU_DRIVER_H

#include <stddef.h>
#include <stdint.h>

struct ethosu_driver;

struct ethosu_driver *ethosu_reserve_driver(void);
void ethosu_release_driver(struct ethosu_driver *driver);
int ethosu_invoke_v3(struct ethosu_driver *driver, const void *payload, const int payload_bytes,
                     uint64_t *const addresses, const size_t *sizes, const int count, void *argument);

#endif
