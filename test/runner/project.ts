import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const checkout = join(fileURLToPath(import.meta.url), '../../../..');

/** A project of its own with a real AVA. `sources`: of each test file by its name, "wire/ip"; `test` is AVA's. */
export async function project(t: ExecutionContext, sources: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), 'weft-runner-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  await symlink(join(checkout, 'node_modules'), join(root, 'node_modules'));
  const ava = { files: ['dist/**/*.test.js'], workerThreads: false, timeout: '100s', cache: false };
  await writeFile(join(root, 'package.json'), JSON.stringify({ name: 'scratch', type: 'module', ava }));
  for (const [name, source] of Object.entries(sources)) {
    const path = join(root, `dist/test/${name}.test.js`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `import test from 'ava';\n${source}`);
  }
  const files = Object.keys(sources).map((name) => ({
    file: `test/${name}.test.ts`,
    compiled: `dist/test/${name}.test.js`,
  }));
  return { root, files };
}
