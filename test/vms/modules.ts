/** Kernel modules in the order to load them, from the text of modules.dep. modules.dep(5). */

/**
 * Paths of what `names` need and of themselves, each once and after all that it needs. A module that is not listed is built
 * into the kernel, or is not there at all: the kernel says so when it is missed.
 */
export function loadOrder(modulesDep: string, names: readonly string[]): string[] {
  const lines = modulesDep.split('\n').flatMap((line) => {
    const [path, needs] = line.split(':');
    return path === undefined || needs === undefined ? [] : [{ path, needs: needs.trim().split(' ').filter(Boolean) }];
  });
  const order = new Set<string>();
  for (const name of names) {
    const found = lines.find(({ path }) => moduleName(path) === name);
    if (found === undefined) continue;
    // depmod lists all of them, the deepest last.
    for (const path of [...found.needs.toReversed(), found.path]) order.add(path);
  }
  return [...order];
}

/** "kernel/net/9p/9pnet-virtio.ko.xz" is the module 9pnet_virtio. */
function moduleName(path: string): string {
  return path
    .replace(/.*\//, '')
    .replace(/\.ko(\.[a-z]+)?$/, '')
    .replaceAll('-', '_');
}
