{% set title = "The golden vectors on Arm's FVP of Corstone-300 or 310: the NPU's cycles, and what it computes." %}
{% include "banner.txt" %}

/* By their paths: beside them is a stand-in for Arm's ethosu_driver.h. */
#include "../test/golden.h"
#include "../test/vectors.h"
#include "{{ name }}.h"

#include <ethosu_driver.h>
#include <pmu_ethosu.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Of the subsystem: the NPU and its interrupt, the table of vectors, and what enables an interrupt. */
#define NPU_ADDRESS 0x48102000u
#define NPU_INTERRUPT 56u
#define EXCEPTIONS 16u /* vectors before that of interrupt 0 */
#define VECTORS (EXCEPTIONS + NPU_INTERRUPT + 1u)
#define VTOR (*(volatile uint32_t *)0xE000ED08u)
#define NVIC_ISER ((volatile uint32_t *)0xE000E100u)
#define IS_SECURE 1u
#define IS_PRIVILEGED 1u

static struct ethosu_driver npu;
static _Alignas(512) uint32_t vectors[VECTORS];
static uint64_t cycles;
static uint64_t most_cycles;

/* The driver calls these around the commands: the counter runs while the NPU does. */
void ethosu_inference_begin(struct ethosu_driver *driver, void *argument)
{
    (void)argument;
    ETHOSU_PMU_Enable(driver);
    ETHOSU_PMU_PMCCNTR_CFG_Set_Start_Event(driver, ETHOSU_PMU_NPU_ACTIVE);
    ETHOSU_PMU_PMCCNTR_CFG_Set_Stop_Event(driver, ETHOSU_PMU_NPU_IDLE);
    ETHOSU_PMU_CNTR_Enable(driver, ETHOSU_PMU_CCNT_Msk);
    ETHOSU_PMU_CYCCNT_Reset(driver);
}

void ethosu_inference_end(struct ethosu_driver *driver, void *argument)
{
    const uint64_t counted = ETHOSU_PMU_Get_CCNTR(driver);
    (void)argument;
    cycles += counted;
    most_cycles = (counted > most_cycles) ? counted : most_cycles;
    ETHOSU_PMU_Disable(driver);
}

static void npu_interrupt(void)
{
    ethosu_irq_handler(&npu);
}

/* Move the table of vectors to where the NPU's can be set, and enable its interrupt. */
static void connect_interrupt(void)
{
    (void)memcpy(vectors, (const void *)(uintptr_t)VTOR, EXCEPTIONS * sizeof(vectors[0]));
    vectors[EXCEPTIONS + NPU_INTERRUPT] = (uint32_t)(uintptr_t)&npu_interrupt;
    VTOR = (uint32_t)(uintptr_t)vectors;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    NVIC_ISER[NPU_INTERRUPT / 32u] = 1u << (NPU_INTERRUPT % 32u);
}

int main(void)
{
    const struct golden_hooks hooks = { NULL, NULL, NULL };
    struct golden_findings findings;
    connect_interrupt();
    if (ethosu_init(&npu, (void *)NPU_ADDRESS, NULL, 0u, IS_SECURE, IS_PRIVILEGED) != 0)
    {
        (void)printf("tinyprune fvp: ethosu_init failed\n");
        return 1;
    }
    findings = golden_run(&hooks);
    if (findings.result != 0)
    {
        return 1;
    }
    (void)printf("tinyprune fvp: network=%.12s calls=%d cycles=%lu most=%lu numbers=%ld off=%ld right=%d\n",
                 {{ NAME }}_COMPILED_SHA256, VECTOR_CALLS, (unsigned long)(cycles / (uint64_t)VECTOR_CALLS),
                 (unsigned long)most_cycles, findings.numbers, findings.off, golden_is_right(&findings));
    return 0;
}
