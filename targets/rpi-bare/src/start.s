// From the firmware's jump to Rust. Core 0 lays memory out and calls the others; then each core alike goes down to
// exception level 1, switches the memory management, caches and vector unit on, and takes its stack.

.section .text.start, "ax"

// Cores 1 to 3 wait, here or in the firmware's own code, until there is an address in the spin table: a word of 64
// bits per core at 0xd8.
.equ SPIN_TABLE, 0xd8

.global _start
_start:
    mrs     x19, mpidr_el1
    and     x19, x19, #3                // the core
    cbz     x19, lay_out
    mov     x0, #SPIN_TABLE
1:  wfe
    ldr     x1, [x0, x19, lsl #3]
    cbz     x1, 1b
    br      x1

// Core 0. No Rust runs before caches are on: until then every access must be aligned, and none is exclusive.
lay_out:
    ldr     x0, =__data_start
    ldr     x1, =__data_end
    ldr     x2, =__data_load
1:  cmp     x0, x1
    b.hs    2f
    ldp     x3, x4, [x2], #16
    stp     x3, x4, [x0], #16
    b       1b
2:  ldr     x0, =__bss_start
    ldr     x1, =__bss_end
3:  cmp     x0, x1
    b.hs    4f
    stp     xzr, xzr, [x0], #16
    b       3b

// The map of the first GiB, in blocks of 2 MiB: addresses are what they are.
.equ BLOCK, 0x200000
.equ STACK, 2 * BLOCK                   // with the block below it, which is not mapped
.equ DEVICES, 0x3f000000                // of the chip; in the second GiB, those of the cores
.equ IS_TABLE, 0b11
.equ IS_BLOCK, 0b01 | 1 << 10 | 1 << 54 // accessed; no code for level 0
.equ IS_MEMORY, IS_BLOCK | 0b11 << 8    // attributes 0; shared by the cores
.equ CODE, IS_MEMORY | 1 << 7           // read-only
.equ DATA, IS_MEMORY | 1 << 53          // no code
.equ DEVICE, IS_BLOCK | 1 << 2 | 1 << 53 // attributes 1; no code
4:  ldr     x0, =blocks
    mov     x1, #0
    ldr     x2, =CODE
    ldr     x3, =__writable
    bl      map
    ldr     x2, =DATA
    ldr     x3, =__stacks
    bl      map
    ldr     x4, =__end
5:  add     x1, x1, #BLOCK              // a gap: bss left 0 there
    ldr     x2, =DATA
    add     x3, x1, #BLOCK
    bl      map
    cmp     x1, x4
    b.lo    5b
    ldr     x1, =DEVICES
    ldr     x2, =DEVICE
    mov     x3, #0x40000000
    bl      map
    ldr     x1, =gigabytes
    add     x0, x0, #IS_TABLE
    ldr     x3, =DEVICE + 0x40000000
    stp     x0, x3, [x1]                // the third and the fourth stay 0

    dsb     sy
    ldr     x0, =go
    mov     x1, #SPIN_TABLE
    stp     x0, x0, [x1, #8]
    str     x0, [x1, #24]
    dsb     sy
    sev
    b       go

// Maps from x1 to x3 with the bits x2 in the table x0; x1 is x3 then.
map:
    cmp     x1, x3
    b.hs    1f
    orr     x5, x1, x2
    lsr     x6, x1, #21
    str     x5, [x0, x6, lsl #3]
    add     x1, x1, #BLOCK
    b       map
1:  ret

// Every core, with its number in bits 0 and 1 of mpidr_el1, at whatever level the firmware left it.
go:
    mrs     x19, mpidr_el1
    and     x19, x19, #3
    mrs     x0, CurrentEL
    cmp     x0, #2 << 2
    b.eq    from_el2
    b.lo    at_el1

    // Level 3: what the firmware's stub does otherwise.
    msr     cptr_el3, xzr               // the vector unit traps nowhere
    mrs     x0, s3_1_c15_c2_1           // CPUECTLR_EL1 of a Cortex-A53
    orr     x0, x0, #1 << 6             // this core's caches are kept coherent with the others'
    msr     s3_1_c15_c2_1, x0
    mrs     x0, cntfrq_el0
    cbnz    x0, 1f
    ldr     x0, =19200000               // the board's crystal
    msr     cntfrq_el0, x0
1:  mov     x0, #0x5b1                  // below: 64 bits, non-secure, calls to level 2 only
    msr     scr_el3, x0
    mov     x0, #0x3c9                  // level 2, its own stack, interrupts masked
    msr     spsr_el3, x0
    adr     x0, from_el2
    msr     elr_el3, x0
    eret

from_el2:
    mov     x0, #1 << 31                // level 1 has 64 bits
    msr     hcr_el2, x0
    mov     x0, #0x33ff                 // the vector unit traps nowhere
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    mov     x0, #0b11                   // level 1 may read the counter
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    ldr     x0, =0x30d00800             // what must be 1; all else off
    msr     sctlr_el1, x0
    mov     x0, #0x3c4                  // level 1, level 0's stack, interrupts masked
    msr     spsr_el2, x0
    adr     x0, at_el1
    msr     elr_el2, x0
    eret

at_el1:
    msr     daifset, #0b1111
    mov     x0, #0b11 << 20             // the vector unit traps nowhere
    msr     cpacr_el1, x0
    ldr     x0, =vectors
    msr     vbar_el1, x0

    // Faults have a stack of their own, which is left when one stack is too deep.
    msr     spsel, #1
    ldr     x0, =fault_stacks
    add     x1, x19, #1
    add     x0, x0, x1, lsl #13
    mov     sp, x0
    msr     spsel, #0
    ldr     x0, =__stacks
    mov     x2, #STACK
    madd    x0, x1, x2, x0
    mov     sp, x0

    ldr     x0, =0x04ff                 // attributes 0: cached, written back; 1: device
    msr     mair_el1, x0
    // Addresses of 32 bits from ttbr0 alone, in pages of 4 KiB; tables are cached and shared.
    ldr     x0, =32 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23
    msr     tcr_el1, x0
    ldr     x0, =gigabytes
    msr     ttbr0_el1, x0
    dsb     sy
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     sy
    isb
    ldr     x0, =0x30d00800 | 1 | 1 << 2 | 1 << 3 | 1 << 12 // the map, caches; the stack is aligned
    msr     sctlr_el1, x0
    isb

    msr     daifclr, #0b0100            // a device that does not answer is a fault
    mov     x29, #0
    mov     x30, #0
    mov     x0, x19
    b       start_core                  // Rust's

// Faults: Rust's `fault` is told which of the 16 entries it was. Nothing is saved, for nothing goes on.
.section .text.vectors, "ax"
.balign 2048
vectors:
.set entry, 0
.rept 16
.balign 128
    mov     x0, #entry
    b       fault
.set entry, entry + 1
.endr

.section .bss.tables, "aw", @nobits
.balign 4096
blocks:
    .skip   4096                        // the first GiB
gigabytes:
    .skip   32

.section .bss.fault_stacks, "aw", @nobits
.balign 16
fault_stacks:
    .skip   4 << 13
