"""A stand-in for Arm's driver and for an FVP: recorded answers, an interrupt, QEMU as the model."""

import textwrap
from pathlib import Path

_DRIVER_HEADER = """
#pragma once
#include <stddef.h>
#include <stdint.h>
struct ethosu_driver { int is_reserved; };
int ethosu_init(struct ethosu_driver *driver, void *const address, const void *fast, const size_t bytes,
                uint32_t is_secure, uint32_t is_privileged);
void ethosu_irq_handler(struct ethosu_driver *driver);
void ethosu_inference_begin(struct ethosu_driver *driver, void *argument);
void ethosu_inference_end(struct ethosu_driver *driver, void *argument);
struct ethosu_driver *ethosu_reserve_driver(void);
void ethosu_release_driver(struct ethosu_driver *driver);
int ethosu_invoke_v3(struct ethosu_driver *driver, const void *payload, const int payload_bytes,
                     uint64_t *const addresses, const size_t *sizes, const int count, void *argument);
"""
_PMU_HEADER = """
#pragma once
#include "ethosu_driver.h"
#define ETHOSU_PMU_CCNT_Msk (1UL << 31)
enum ethosu_pmu_event_type { ETHOSU_PMU_NPU_IDLE = 1, ETHOSU_PMU_NPU_ACTIVE = 2 };
void ETHOSU_PMU_Enable(struct ethosu_driver *driver);
void ETHOSU_PMU_Disable(struct ethosu_driver *driver);
void ETHOSU_PMU_PMCCNTR_CFG_Set_Start_Event(struct ethosu_driver *driver, enum ethosu_pmu_event_type event);
void ETHOSU_PMU_PMCCNTR_CFG_Set_Stop_Event(struct ethosu_driver *driver, enum ethosu_pmu_event_type event);
void ETHOSU_PMU_CNTR_Enable(struct ethosu_driver *driver, uint32_t mask);
void ETHOSU_PMU_CYCCNT_Reset(struct ethosu_driver *driver);
uint64_t ETHOSU_PMU_Get_CCNTR(struct ethosu_driver *driver);
"""
#: The n-th call takes 1000 + n cycles.
_PMU = """
#include "pmu_ethosu.h"
static uint64_t calls;
static int is_counting;
void ETHOSU_PMU_Enable(struct ethosu_driver *driver) { (void)driver; }
void ETHOSU_PMU_Disable(struct ethosu_driver *driver) { (void)driver; is_counting = 0; }
void ETHOSU_PMU_PMCCNTR_CFG_Set_Start_Event(struct ethosu_driver *driver, enum ethosu_pmu_event_type event) { (void)driver; (void)event; }
void ETHOSU_PMU_PMCCNTR_CFG_Set_Stop_Event(struct ethosu_driver *driver, enum ethosu_pmu_event_type event) { (void)driver; (void)event; }
void ETHOSU_PMU_CNTR_Enable(struct ethosu_driver *driver, uint32_t mask) { (void)driver; is_counting = mask == ETHOSU_PMU_CCNT_Msk; }
void ETHOSU_PMU_CYCCNT_Reset(struct ethosu_driver *driver) { (void)driver; }
uint64_t ETHOSU_PMU_Get_CCNTR(struct ethosu_driver *driver) { (void)driver; return is_counting ? 1000u + ++calls : 0u; }
"""
#: It raises the interrupt, waits until it is handled, and refuses what the NPU could not read.
_DRIVER = """
#include "ethosu_driver.h"
#include "cmsis_compiler.h"
#include "VECTORS"
#include <string.h>
#define PENDING ((volatile uint32_t *)0xE000E200u)
static struct ethosu_driver *started;
static volatile int is_done;
static int call;
int ethosu_init(struct ethosu_driver *driver, void *const address, const void *fast, const size_t bytes,
                uint32_t is_secure, uint32_t is_privileged)
{
    (void)fast;
    started = driver;
    return ((uintptr_t)address == 0x48102000u && bytes == 0u && is_secure == 1u && is_privileged == 1u) ? 0 : -1;
}
void ethosu_irq_handler(struct ethosu_driver *driver) { is_done = (driver == started); }
struct ethosu_driver *ethosu_reserve_driver(void) { return started; }
void ethosu_release_driver(struct ethosu_driver *driver) { (void)driver; }
static int is_readable(uint64_t address)
{
    return (address >> 20) == 0x310u || (address >> 24) == 0x70u;
}
int ethosu_invoke_v3(struct ethosu_driver *driver, const void *payload, const int payload_bytes,
                     uint64_t *const addresses, const size_t *sizes, const int count, void *argument)
{
    const uint8_t *recorded = vector_npu_outputs[call];
    uint8_t *arena = (uint8_t *)(uintptr_t)addresses[1];
    (void)payload_bytes;
    (void)sizes;
    if (!is_readable((uintptr_t)payload) || memcmp(payload, "COP1", 4) != 0) { return -1; }
    for (int number = 0; number < count; number++)
    {
        if (!is_readable(addresses[number])) { return -2; }
    }
    ethosu_inference_begin(driver, argument);
    is_done = 0;
    PENDING[1] = 1u << 24;
    for (long wait = 0; wait < 1000000 && !is_done; wait++) { __NOP(); }
    ethosu_inference_end(driver, argument);
    for (size_t end = 0u; end < VECTOR_OUTPUTS; end++)
    {
        memcpy(&arena[vector_outputs[end].offset], recorded, vector_outputs[end].bytes);
        recorded += vector_outputs[end].bytes;
    }
    call++;
    return is_done ? 0 : -3;
}
"""


def write_driver(sources: Path, folder: Path) -> list[str]:
    """Write a driver that answers what was recorded for sources; return the settings of make."""
    driver = _DRIVER.replace("VECTORS", str(sources.absolute() / "test/vectors.h"))
    files = {
        "driver/include/ethosu_driver.h": _DRIVER_HEADER,
        "driver/include/pmu_ethosu.h": _PMU_HEADER,
        "driver/src/ethosu_driver.c": driver,
        "driver/src/ethosu_pmu.c": _PMU,
        "driver/src/ethosu_device_u55_u65.c": "typedef int unused;\n",
        "cmsis/cmsis_compiler.h": '#define __NOP() __asm__ volatile("nop")\n',
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [f"ETHOSU_DRIVER={folder / 'driver'}", f"CMSIS={folder / 'cmsis'}"]


def write_program(path: Path, body: str) -> Path:
    """Write an executable script of the shell."""
    path.write_text(f"#!/bin/sh\n{textwrap.dedent(body)}")
    path.chmod(0o755)
    return path
