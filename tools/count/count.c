/* A plugin for QEMU's user-mode emulators: counts the instructions that a program executes, all together and by
 * function.
 *
 *   gcc -O2 -Wall -shared -fPIC count.c -o count.so
 *   qemu-aarch64 -plugin ./count.so -d plugin PROGRAM ...
 *
 * prints at the end, after everything else, "count N" and per function "count N NAME", the most first. An
 * instruction counts as one whatever it takes. Exact for programs with one thread. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is needed of version 1 of the interface (QEMU's docs/devel/tcg-plugins), whose header few packages have. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct info;
enum { ADD = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
void qemu_plugin_outs(const char *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

struct function {
  const char *name;
  uint64_t count;
};

/* Code without a symbol, then the functions in a table by hash; a quarter of them may be used. */
#define SLOTS (1u << 18)
static struct function functions[SLOTS];
static size_t used;

static struct function *function_of(const char *name) {
  uint32_t hash = 2166136261u;
  for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
  struct function *function = &functions[hash % SLOTS];
  while (function->name && strcmp(function->name, name) != 0)
    function = function + 1 < functions + SLOTS ? function + 1 : functions;
  if (!function->name) {
    if (++used > SLOTS / 4) abort();
    function->name = strdup(name);
  }
  return function;
}

/* Within a block of instructions that are executed together, each run of one function is added at once. */
static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  size_t count = qemu_plugin_tb_n_insns(block);
  if (count == 0) return;
  const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
  uint64_t *sum = &function_of(name ? name : "?")->count;
  qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, sum, count);
}

static int by_count(const void *a, const void *b) {
  uint64_t x = ((const struct function *)a)->count, y = ((const struct function *)b)->count;
  return (x < y) - (x > y);
}

static void finished(plugin_id id, void *nothing) {
  char line[512];
  uint64_t total = 0;
  for (size_t i = 0; i < SLOTS; i++) total += functions[i].count;
  snprintf(line, sizeof line, "count %" PRIu64 "\n", total);
  qemu_plugin_outs(line);
  qsort(functions, SLOTS, sizeof *functions, by_count);
  for (size_t i = 0; i < SLOTS && functions[i].count; i++) {
    snprintf(line, sizeof line, "count %" PRIu64 " %s\n", functions[i].count, functions[i].name);
    qemu_plugin_outs(line);
  }
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const struct info *info, int argc,
                                                               char **argv) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
